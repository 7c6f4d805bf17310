import { useState } from '../../vendor/preact/hooks.mjs';
import { useAction } from '../action.js';
import { changeSettings, readSettings } from '../api.js';
import { Banner } from '../components/banner.js';
import { Icon } from '../components/icons.js';
import { toast } from '../components/toasts.js';
import { Objection } from '../components/field.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { choicesOf, choiceText, fieldHint, fieldText, fieldValue, inOrder, limitMeaning, limitName, limitText, limitUnit, objection } from '../limits.js';
import { problemText } from '../problem.js';
import { useReading } from '../reading.js';

const stored = (setting) => fieldText(setting.set ? setting.value : undefined);

const Choice = ({ setting, said, busy, onText, ...field }) => html`
  <select ...${field} value=${said} disabled=${busy} onChange=${(event) => onText(event.target.value)}>
    <option value="">${t('asDefault')}</option>
    ${choicesOf(setting).map((choice) => html`<option key=${choice} value=${choice}>${choiceText(choice)}</option>`)}
  </select>`;

function Limit({ name, setting, text, wrong, busy, onText }) {
  const id = `limit-${name}`;
  const restore = t('restoreNamed', { name: limitName(name) });
  const field = { id, name, 'aria-invalid': Boolean(wrong), 'aria-describedby': `${id}-hint ${wrong ? `${id}-wrong` : ''}` };
  return html`
    <tr class=${text === stored(setting) ? '' : 'changed'}>
      <th scope="row">
        <span class="limit-name"><label for=${id}>${limitName(name)}</label> <code class="soft">${name}</code></span>
        <span class="soft" id="${id}-hint">${limitMeaning(name, setting)}</span>
      </th>
      <td class="limit-field">
        ${choicesOf(setting)
          ? html`<${Choice} ...${field} setting=${setting} said=${text} busy=${busy} onText=${onText} />`
          : html`<input ...${field} value=${text} placeholder=${fieldHint(name, setting, setting.default)} inputmode="decimal"
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

// Unsaved edits by name. They outlive a look at another view.
let kept = {};

/** The limits of all mappings. Edits stand over what is read, so that a newer reading takes none away. */
export function Settings() {
  const { data, problem, load } = useReading(readSettings);
  const [edits, setEdits] = useState(kept);
  const edit = (next) => setEdits((kept = next));

  const limits = inOrder(data?.settings ?? {});
  const shown = (name, setting) => edits[name] ?? stored(setting);
  const changed = limits.filter(([name, setting]) => shown(name, setting).trim() !== stored(setting));
  const { error, setError, busy, start } = useAction(
    async () => {
      await changeSettings(Object.fromEntries(changed.map(([name, setting]) => [name, fieldValue(edits[name], setting)])));
      await load();
    },
    () => {
      edit({});
      toast(t('limitsSaved', { n: changed.length }));
    },
  );
  const submit = (event) => {
    event.preventDefault();
    if (changed.length > 0) start();
  };
  const objections = Object.fromEntries(limits.map(([name, setting]) => [name, objection(error, name, setting)]));
  const elsewhere = error && !Object.values(objections).some(Boolean);
  const discard = () => {
    edit({});
    setError(null);
  };

  return html`
    <form class="panel settings" onSubmit=${submit} novalidate>
      <h1>${t('settings')}</h1>
      <p class="soft">${t('settingsText')}</p>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`
        <table class="settings-table">
          <thead><tr>
            <th scope="col">${t('limit')}</th><th scope="col">${t('value')}</th>
            <th scope="col">${t('inForce')}</th><th scope="col">${t('default')}</th>
          </tr></thead>
          <tbody>
            ${limits.map(([name, setting]) => html`
              <${Limit} key=${name} name=${name} setting=${setting} text=${shown(name, setting)} wrong=${objections[name]}
                busy=${busy} onText=${(text) => edit({ ...edits, [name]: text })} />`)}
          </tbody>
        </table>
        <div class="settings-actions">
          ${elsewhere && html`<p class="problem" role="alert">${problemText(error)}</p>`}
          <span class="soft">${changed.length > 0 && t('unsaved', { n: changed.length })}</span>
          <button type="button" disabled=${busy || changed.length === 0} onClick=${discard}>${t('discard')}</button>
          <button type="submit" class="primary" disabled=${busy || changed.length === 0}>${t('save')}</button>
        </div>`}
    </form>`;
}
