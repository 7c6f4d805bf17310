import { useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';

/** A part of a form that is closed at first, and opens where it is to blame. said: how much of it is set. */
export function Folded({ title, said, blamed, children }) {
  const [open, setOpen] = useState(false);
  return html`
    <details class="options" open=${open || blamed} onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary>${title} ${said > 0 ? html`<span class="badge">${said}</span>` : html`<small>${t('ownNone')}</small>`}</summary>
      ${children}
    </details>`;
}
