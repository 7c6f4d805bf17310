import { useLayoutEffect, useRef } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';

/** A modal form. Stands while it is rendered; the owner removes it on onClose. `problem` is shown beside the buttons. */
export function Dialog({ title, action, danger, busy, problem, onSubmit, onClose, children }) {
  const dialog = useRef();
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    // close() gives the focus back to where it was
    return () => element.close();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    onSubmit();
  };
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="dialog-title" onCancel=${cancel}>
      <form onSubmit=${submit} novalidate>
        <h2 id="dialog-title">${title}</h2>
        ${children}
        ${problem && html`<p class="problem" role="alert">${problem}</p>`}
        <div class="dialog-actions">
          <button type="button" onClick=${onClose}>${t('cancel')}</button>
          <button type="submit" class=${danger ? 'danger' : 'primary'} disabled=${busy}>${action}</button>
        </div>
      </form>
    </dialog>`;
}
