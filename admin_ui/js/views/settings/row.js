// One setting in the table.
import { Objection } from '../../components/field.js';
import { Icon } from '../../components/icons.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { choicesOf, choiceText, fieldHint, fieldText, isText, limitMeaning, limitName, limitText, limitUnit } from '../../limits.js';

/** What its field says while nothing is typed: the value that was set here. */
export const stored = (setting) => fieldText(setting.set ? setting.value : undefined);

const OWNERS = { 'true,true': 'ownOfBoth', 'true,false': 'ownOfMappings', 'false,true': 'ownOfChannels' };
const owners = ({ per_mapping: mapping, per_channel: channel }) => OWNERS[`${mapping},${channel}`];

const Choice = ({ setting, said, busy, onText, ...field }) => html`
  <select ...${field} value=${said} disabled=${busy} onChange=${(event) => onText(event.target.value)}>
    <option value="">${t('asDefault')}</option>
    ${choicesOf(setting).map((choice) => html`<option key=${choice} value=${choice}>${choiceText(choice)}</option>`)}
  </select>`;

export function Row({ name, setting, text, wrong, busy, onText }) {
  const id = `limit-${name}`;
  const restore = t('restoreNamed', { name: limitName(name) });
  const field = { id, name, 'aria-invalid': Boolean(wrong), 'aria-describedby': `${id}-hint ${wrong ? `${id}-wrong` : ''}` };
  const own = owners(setting);
  return html`
    <tr class=${text === stored(setting) ? '' : 'changed'}>
      <th scope="row">
        <span class="limit-name"><label for=${id}>${limitName(name)}</label> <code class="soft">${name}</code></span>
        <span class="soft" id="${id}-hint">${limitMeaning(name, setting)}${own && html` <em>${t(own)}</em>`}</span>
      </th>
      <td class="limit-field">
        ${choicesOf(setting)
          ? html`<${Choice} ...${field} setting=${setting} said=${text} busy=${busy} onText=${onText} />`
          : html`<input ...${field} value=${text} placeholder=${fieldHint(name, setting, setting.default)} inputmode=${isText(setting) ? null : 'decimal'}
              autocomplete="off" spellcheck=${false} readonly=${busy} onInput=${(event) => onText(event.target.value)} />`}
        <span class="soft">${limitUnit(setting)}</span>
        <button type="button" class="bare" disabled=${busy} hidden=${!text} aria-label=${restore} title=${restore} onClick=${() => onText('')}>
          <${Icon} name="restore" />
        </button>
        <${Objection} id=${id} text=${wrong} />
      </td>
      <td data-label=${t('inForce')}>
        ${limitText(name, setting, setting.value)} ${setting.set && html`<span class="badge">${t('setHere')}</span>`}
      </td>
      <td data-label=${t('default')} class="soft">${limitText(name, setting, setting.default)}</td>
    </tr>`;
}
