import { Icon } from '../../components/icons.js';
import { Objection } from '../../components/field.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';

function Part({ at, text, label, placeholder, error, onText }) {
  const wrong = error?.field === at;
  return html`
    <input name=${at} value=${text} aria-label=${label} placeholder=${placeholder} autocomplete="off" autocapitalize="off" spellcheck=${false}
      aria-invalid=${wrong} aria-describedby=${wrong ? `${at}-wrong` : null} onInput=${(event) => onText(event.target.value)} />`;
}

/** Edits of a request. list: 'header_rules' or 'body_rules'; named: the part that says where, 'name' or 'path'; valued: the actions that have a value. */
export function Rules({ list, named, actions, valued, rules, error, onRules }) {
  const change = (place, part, text) => onRules(rules.map((rule, index) => (index === place ? { ...rule, [part]: text } : rule)));
  return html`
    <fieldset class="rules">
      <legend>${t(list)}</legend>
      <p class="hint">${t(`${list}Hint`)}</p>
      ${rules.length > 0 && html`
        <ul>
          ${rules.map((rule, place) => {
            const at = `${list}[${place}]`;
            const blamed = error?.field?.startsWith(`${at}.`);
            return html`
              <li key=${place}>
                <select name="${at}.action" value=${rule.action} aria-label=${t('ruleAction')} onChange=${(event) => change(place, 'action', event.target.value)}>
                  ${actions.map((action) => html`<option key=${action} value=${action}>${t(`rule_${action}`)}</option>`)}
                </select>
                <${Part} at="${at}.${named}" text=${rule[named]} label=${t(`rule_${named}`)} placeholder=${t(`rule_${named}`)} error=${error}
                  onText=${(text) => change(place, named, text)} />
                ${valued.includes(rule.action) && html`
                  <${Part} at="${at}.value" text=${rule.value} label=${t('value')} placeholder=${t('value')} error=${error}
                    onText=${(text) => change(place, 'value', text)} />`}
                <button type="button" class="bare remove" aria-label=${t('removeRule', { place: place + 1 })} title=${t('removeRule', { place: place + 1 })}
                  onClick=${() => onRules(rules.filter((_, index) => index !== place))}><${Icon} name="close" /></button>
                ${blamed && html`<${Objection} id=${error.field} text=${problemText(error)} />`}
              </li>`;
          })}
        </ul>`}
      <${Objection} id=${list} text=${error?.field === list && problemText(error)} />
      <button type="button" class="bare small" onClick=${() => onRules([...rules, { action: 'set', [named]: '', value: '' }])}><${Icon} name="add" />${t('addRule')}</button>
    </fieldset>`;
}
