import { useLayoutEffect, useRef } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';

/**
 * A modal form. Stands while it is rendered; the owner removes it on onClose. `problem` is shown beside the buttons.
 * `drawer`: at the side, as high as the page. Without `action` it has no button to submit. `leave`: the word on the other, where it is not Cancel.
 */
export function Dialog({ title, action, leave = t('cancel'), danger, wide, drawer, busy, problem, onSubmit, onClose, children }) {
  const dialog = useRef();
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    // close() gives the focus back to where it was
    return () => element.close();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    if (action && !busy) onSubmit();
  };
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`
    <dialog ref=${dialog} class=${drawer ? 'drawer' : wide ? 'wide' : ''} aria-labelledby="dialog-title" onCancel=${cancel}>
      <form onSubmit=${submit} novalidate>
        <h2 id="dialog-title">${title}</h2>
        ${children}
        ${problem && html`<p class="problem" role="alert">${problem}</p>`}
        <div class="dialog-actions">
          <button type="button" onClick=${onClose}>${leave}</button>
          ${action && html`<button type="submit" class=${danger ? 'danger' : 'primary'} disabled=${busy}>${action}</button>`}
        </div>
      </form>
    </dialog>`;
}
