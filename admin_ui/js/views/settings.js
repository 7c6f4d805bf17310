import { useState } from '../../vendor/preact/hooks.mjs';
import { useAction } from '../action.js';
import { changeSettings, readSettings } from '../api.js';
import { Banner } from '../components/banner.js';
import { toast } from '../components/toasts.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { fieldValue, objection } from '../limits.js';
import { useDialog } from '../open_dialog.js';
import { problemText } from '../problem.js';
import { useReading } from '../reading.js';
import { fits, GroupHead, GroupLinks, inGroups, setHere } from './settings/groups.js';
import { ResetDialog } from './settings/reset.js';
import { Row, stored } from './settings/row.js';

// Unsaved edits by name. They outlive a look at another view.
let kept = {};

const without = (edits, names) => Object.fromEntries(Object.entries(edits).filter(([name]) => !names.includes(name)));

/** What holds for the whole gateway, in groups. Edits stand over what is read, so that a newer reading takes none away. */
export function Settings() {
  const { data, problem, load } = useReading(readSettings);
  const [edits, setEdits] = useState(kept);
  const [query, setQuery] = useState('');
  const { dialog, setDialog, close, changed: done } = useDialog(load);
  const edit = (next) => setEdits((kept = next));

  const settings = Object.entries(data?.settings ?? {});
  const said = ([name, setting]) => edits[name] ?? stored(setting);
  const changed = settings.filter((one) => said(one).trim() !== stored(one[1]));
  const { error, setError, busy, start } = useAction(
    async () => {
      await changeSettings(Object.fromEntries(changed.map(([name, setting]) => [name, fieldValue(edits[name], setting)])));
      await load();
    },
    () => {
      edit({});
      toast(t('settingsSaved', { n: changed.length }));
    },
  );
  const submit = (event) => {
    event.preventDefault();
    if (changed.length > 0) start();
  };
  const wrong = ([name, setting]) => objection(error, name, setting);
  const elsewhere = error && !settings.some(wrong);
  const discard = () => {
    edit({});
    setError(null);
  };
  const reset = (names) => {
    edit(without(edits, names));
    done(t('settingsReset', { n: names.length }));
  };

  // What is to be saved stays in sight.
  const isFit = fits(query);
  const groups = inGroups(settings.filter((one) => isFit(one) || changed.includes(one)));
  const set = setHere(settings);
  return html`
    <form class="panel settings" onSubmit=${submit} novalidate>
      <div class="panel-head">
        <h1>${t('settings')}</h1>
        <input type="search" value=${query} placeholder=${t('searchSettings')} aria-label=${t('searchSettings')}
          onInput=${(event) => setQuery(event.target.value)} onKeyDown=${(event) => event.key === 'Enter' && event.preventDefault()} />
        ${set.length > 0 && html`<button type="button" disabled=${busy} onClick=${() => setDialog(set)}>${t('resetAll')}</button>`}
      </div>
      <p class="soft">${t('settingsText')}</p>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${groups.length > 1 && html`<${GroupLinks} groups=${groups} />`}
      ${data && groups.length === 0 && html`<p class="soft empty">${t('nothingFound', { query })}</p>`}
      ${groups.length > 0 && html`
        <table class="settings-table">
          <thead><tr>
            <th scope="col">${t('setting')}</th><th scope="col">${t('value')}</th>
            <th scope="col">${t('inForce')}</th><th scope="col">${t('default')}</th>
          </tr></thead>
          ${groups.map(([group, ofGroup]) => html`
            <tbody key=${group}>
              <${GroupHead} group=${group} settings=${ofGroup} busy=${busy} onReset=${() => setDialog(setHere(ofGroup))} />
              ${ofGroup.map((one) => html`
                <${Row} key=${one[0]} name=${one[0]} setting=${one[1]} text=${said(one)} wrong=${wrong(one)}
                  busy=${busy} onText=${(text) => edit({ ...edits, [one[0]]: text })} />`)}
            </tbody>`)}
        </table>`}
      ${data && html`
        <div class="settings-actions">
          ${elsewhere && html`<p class="problem" role="alert">${problemText(error)}</p>`}
          <span class="soft">${changed.length > 0 && t('unsaved', { n: changed.length })}</span>
          <button type="button" disabled=${busy || changed.length === 0} onClick=${discard}>${t('discard')}</button>
          <button type="submit" class="primary" disabled=${busy || changed.length === 0}>${t('save')}</button>
        </div>`}
    </form>
    ${dialog && html`
      <${ResetDialog} settings=${dialog} typed=${changed.some(([name]) => dialog.some(([other]) => other === name))} onClose=${close} onReset=${reset} />`}`;
}
