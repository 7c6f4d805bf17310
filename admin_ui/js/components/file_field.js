import { bytes } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { Objection } from './field.js';

/** Where a file is chosen, or dropped. */
export function FileField({ name, label, file, accept, hint, wrong, onFile, ...more }) {
  const described = [hint && `${name}-hint`, wrong && `${name}-wrong`].filter(Boolean).join(' ') || null;
  return html`
    <div class="field">
      <label for=${name}><span>${label} ${file && html`<small>${bytes(file.size)}</small>`}</span></label>
      <input type="file" id=${name} name=${name} accept=${accept} aria-invalid=${Boolean(wrong)} aria-describedby=${described}
        onChange=${(event) => onFile(event.target.files[0] ?? null)} ...${more} />
      <${Objection} id=${name} text=${wrong} />
      ${hint && html`<p class="hint" id="${name}-hint">${hint}</p>`}
    </div>`;
}
