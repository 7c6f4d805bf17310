import { useState } from '../../../vendor/preact/hooks.mjs';
import { changeKeys, readChannel, readKeys } from '../../api.js';
import { Banner } from '../../components/banner.js';
import { Choices, SearchField } from '../../components/filters.js';
import { Icon } from '../../components/icons.js';
import { Tile } from '../../components/tile.js';
import { toast } from '../../components/toasts.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { useDialog } from '../../open_dialog.js';
import { problemText } from '../../problem.js';
import { useReading } from '../../reading.js';
import { changeQuery, useRoute } from '../../route.js';
import { AddKeysDialog, DeleteKeysDialog, NoteDialog, RevealDialog } from './key_dialogs.js';
import { KeyRow } from './key_row.js';
import { TestDialog } from './test.js';

const PAGE = 50;
const STATES = ['active', 'resting', 'blacklisted', 'disabled'];
const DIALOGS = { add: AddKeysDialog, delete: DeleteKeysDialog, note: NoteDialog, reveal: RevealDialog, test: TestDialog };

/** Acts on what is chosen, else on all keys of the state that is filtered for. */
function Bulk({ chosen, state, counts, act, onDelete }) {
  const which = chosen.length > 0 ? { ids: chosen } : state ? { state } : null;
  const n = chosen.length || counts[state];
  if (!which || !n) return null;
  return html`
    <div class="bulk" role="group" aria-label=${t('bulk')}>
      <span>${t(chosen.length > 0 ? 'keysChosen' : `keys_all_${state}`, { n })}</span>
      ${(chosen.length > 0 || state !== 'active') && html`<button type="button" onClick=${() => act('restore', which)}>${t('restore')}</button>`}
      ${state !== 'disabled' && html`<button type="button" onClick=${() => act('disable', which)}>${t('disable')}</button>`}
      ${(chosen.length > 0 || state === 'disabled') && html`<button type="button" onClick=${() => act('enable', which)}>${t('enable')}</button>`}
      <button type="button" class="danger" onClick=${() => onDelete(which, n)}>${t('delete')}</button>
    </div>`;
}

function Table({ keys, chosen, onChosen, act, open }) {
  const here = keys.map(({ id }) => id);
  const all = chosen.length > 0 && chosen.length === here.length;
  const toggle = (id) => onChosen(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id]);
  return html`
    <table class="keys-table">
      <thead><tr>
        <th scope="col" data-label=${t('selectAll')}><input type="checkbox" checked=${all} indeterminate=${chosen.length > 0 && !all} aria-label=${t('selectAll')}
          title=${t('selectAll')} onChange=${() => onChosen(all ? [] : here)} /></th>
        <th scope="col">${t('key')}</th><th scope="col">${t('state')}</th><th scope="col">${t('attempts')}</th>
        <th scope="col">${t('lastUsed')}</th><th scope="col">${t('note')}</th><th scope="col">${t('actions')}</th>
      </tr></thead>
      <tbody>
        ${keys.map((key) => html`
          <${KeyRow} key=${key.id} item=${key} chosen=${chosen.includes(key.id)} onChoose=${() => toggle(key.id)} act=${act} open=${open} />`)}
      </tbody>
    </table>`;
}

/** The keys of one channel. */
export function Keys({ id }) {
  const { query: { q = '', state = '' } } = useRoute();
  // where the pages before this one began
  const [before, setBefore] = useState([]);
  const [after, setAfter] = useState('');
  const filter = JSON.stringify([q, state]);
  const [filtered, setFiltered] = useState(filter);
  if (filter !== filtered) {
    setFiltered(filter);
    setBefore([]);
    setAfter('');
  }
  const read = async () => {
    const [channel, page] = await Promise.all([readChannel(id), readKeys(id, { q, state, after, limit: PAGE })]);
    return { channel, ...page };
  };
  const { data, problem, load } = useReading(read, JSON.stringify([filter, after]));
  const [picked, setPicked] = useState([]);
  const { dialog, setDialog, close, changed } = useDialog(load);

  const keysChanged = (said) => {
    changed(said);
    setPicked([]);
  };
  const act = async (action, which) => {
    try {
      const { changed: n } = await changeKeys(id, action, which);
      setPicked([]);
      toast(t(`keysDone_${action}`, { n }));
    } catch (error) {
      toast(problemText(error), 'bad');
    }
    load();
  };
  const open = (kind, more = {}) => setDialog({ kind, ...more });
  const turn = (back) => {
    if (back) setAfter(before.at(-1));
    else setAfter(data.next);
    setBefore(back ? before.slice(0, -1) : [...before, after]);
    setPicked([]);
  };

  const { channel, keys = [] } = data ?? {};
  // what is not on the screen is never changed with the rest
  const chosen = keys.map((key) => key.id).filter((key) => picked.includes(key));
  const Open = dialog && DIALOGS[dialog.kind];
  return html`
    <section class="panel channels">
      <div class="panel-head">
        <h1 class="with-back"><a class="button bare-link" href="#/channels" aria-label=${t('backToChannels')} title=${t('backToChannels')}><${Icon} name="back" /></a>
          ${channel && html`<${Tile} name=${channel.name} />`} ${channel ? t('keysOf', { name: channel.name }) : t('keys')}</h1>
        <button type="button" class="primary" disabled=${!channel} onClick=${() => open('add')}><${Icon} name="add" />${t('addKeys')}</button>
      </div>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${channel?.keys.total > 0 && html`
        <div class="filters" role="search">
          <${SearchField} name="q" value=${q} label=${t('searchKeys')} />
          <${Choices} name="state" value=${state} label=${t('state')} all=${t('allKeys', { n: channel.keys.total })}
            choices=${STATES.map((name) => [name, t('stateCount', { state: t(`state_${name}`), n: channel.keys[name] })])} />
        </div>
        <${Bulk} chosen=${chosen} state=${q ? '' : state} counts=${channel.keys} act=${act} onDelete=${(which, n) => open('delete', { which, n })} />`}
      ${keys.length > 0 && html`<${Table} keys=${keys} chosen=${chosen} onChosen=${setPicked} act=${act} open=${open} />`}
      ${data && keys.length === 0 && html`
        <div class="empty">
          <p class="soft">${t(q || state ? 'noKeyFits' : 'noKeys')}</p>
          ${(q || state) && html`<button type="button" onClick=${() => changeQuery({ q: '', state: '' })}>${t('clearFilters')}</button>`}
        </div>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`
        <footer class="pages">
          <span>${t('keyCount', { n: data.count })}</span>
          ${(before.length > 0 || data.next) && html`
            <button type="button" disabled=${before.length === 0} onClick=${() => turn(true)}>${t('previousPage')}</button>
            <button type="button" disabled=${!data.next} onClick=${() => turn(false)}>${t('nextPage')}</button>`}
        </footer>`}
    </section>
    ${Open && html`<${Open} id=${id} channel=${channel} ...${dialog} onClose=${close} onChanged=${keysChanged} />`}`;
}
