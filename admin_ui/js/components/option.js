import { html } from '../html.js';
import { t } from '../i18n.js';
import { choiceText, choicesOf, fieldHint, isText, limitMeaning, limitName, limitUnit } from '../limits.js';
import { Hint, Objection, hintOf } from './field.js';

/** The field of one setting that something may have of its own; empty, it shows what holds instead. */
export function Option({ name, setting, text, wrong, onText }) {
  const meaning = limitMeaning(name, setting);
  const id = `option-${name}`;
  const choices = choicesOf(setting);
  const field = { name, 'aria-invalid': Boolean(wrong), 'aria-describedby': isText(setting) || wrong ? hintOf(id, wrong) : null };
  const told = isText(setting) ? html`<${Hint} id=${id} text=${meaning} wrong=${wrong} />` : html`<${Objection} id=${id} text=${wrong} />`;
  return html`
    <div class=${isText(setting) ? 'wide' : ''}>
      <label title="${name}: ${meaning}">
        <span>${limitName(name)} <small>${limitUnit(setting)}</small></span>
        ${choices
          ? html`<select ...${field} value=${text} onChange=${(event) => onText(event.target.value)}>
              <option value="">${t('asDefault')}</option>
              ${choices.map((choice) => html`<option key=${choice} value=${choice}>${choiceText(choice)}</option>`)}
            </select>`
          : html`<input ...${field} value=${text} placeholder=${fieldHint(name, setting, setting.value)} inputmode=${isText(setting) ? null : 'decimal'}
              autocomplete="off" autocapitalize="off" spellcheck=${false} onInput=${(event) => onText(event.target.value)} />`}
      </label>
      ${told}
    </div>`;
}
