import { html } from '../html.js';
import { Objection } from './field.js';

/** A labelled field that says what may stand in it (`hint`), and what is wrong with what does (`wrong`). */
export function Input({ name, label, unit, text, onText, hint, wrong, area, id = name, ...more }) {
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || null;
  const field = {
    id, name, value: text, autocomplete: 'off', autocapitalize: 'off', spellcheck: false, 'aria-invalid': Boolean(wrong),
    'aria-describedby': described, onInput: (event) => onText(event.target.value), ...more,
  };
  return html`
    <div class="field">
      <label for=${id}><span>${label} ${unit && html`<small>${unit}</small>`}</span></label>
      ${area ? html`<textarea ...${field}></textarea>` : html`<input ...${field} />`}
      <${Objection} id=${id} text=${wrong} />
      ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    </div>`;
}

export const Select = ({ name, label, value, onValue, choices, hint, id = name }) => html`
  <div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} name=${name} value=${value} aria-describedby=${hint ? `${id}-hint` : null} onChange=${(event) => onValue(event.target.value)}>
      ${choices.map(([choice, text]) => html`<option key=${choice} value=${choice}>${text}</option>`)}
    </select>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;

export const Check = ({ name, label, checked, onCheck, wrong, describedBy }) => html`
  <label class="check">
    <input type="checkbox" name=${name} checked=${checked} aria-invalid=${Boolean(wrong)} aria-describedby=${describedBy}
      onChange=${(event) => onCheck(event.target.checked)} />${label}
  </label>`;
