// The keys of one channel: #/channels/7/keys, narrowed by ?state=.
import { useState } from '../../vendor/preact/hooks.mjs';
import { doing } from '../action.js';
import { changeKeys, readChannel, readKeys } from '../api.js';
import { Banner } from '../components/banner.js';
import { Choices, SearchField } from '../components/filters.js';
import { Icon } from '../components/icons.js';
import { PageFoot } from '../components/pages.js';
import { Tile } from '../components/tile.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useDialog } from '../open_dialog.js';
import { usePages } from '../pages.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { TestDialog } from './channels/test.js';
import { Bulk, BulkDialog } from './keys/bulk.js';
import { NoteDialog, RevealDialog } from './keys/dialogs.js';
import { ExportDialog } from './keys/export.js';
import { ImportDialog } from './keys/import.js';
import { Table } from './keys/table.js';
import { TasksHere, useTasksOf } from './tasks/here.js';

const PAGE_SIZES = [50, 200, 500];
const STATES = ['active', 'resting', 'blacklisted', 'disabled'];
const DIALOGS = { import: ImportDialog, export: ExportDialog, bulk: BulkDialog, note: NoteDialog, reveal: RevealDialog, test: TestDialog };

const Head = ({ channel, open }) => html`
  <div class="panel-head">
    <h1 class="with-back"><a class="button bare-link" href="#/channels" aria-label=${t('backToChannels')} title=${t('backToChannels')}><${Icon} name="back" /></a>
      ${channel && html`<${Tile} name=${channel.name} />`} ${channel ? t('keysOf', { name: channel.name }) : t('keys')}</h1>
    ${channel?.keys.total > 0 && html`<button type="button" onClick=${() => open('export')}><${Icon} name="down" />${t('export')}</button>`}
    <button type="button" class="primary" disabled=${!channel} onClick=${() => open('import')}><${Icon} name="add" />${t('addKeys')}</button>
  </div>`;

const Filters = ({ q, state, counts, onSearch }) => html`
  <div class="filters" role="search">
    <${SearchField} name="q" value=${q} label=${t('searchKeys')} onSearch=${onSearch} />
    <${Choices} name="state" value=${state} label=${t('state')} all=${t('allKeys', { n: counts.total })}
      choices=${STATES.map((name) => [name, t('stateCount', { state: t(`state_${name}`), n: counts[name] })])} />
  </div>`;

const PageSize = ({ size, onSize }) => html`
  <label class="page-size"><span>${t('aPage')}</span>
    <select name="page_size" value=${size} onChange=${(event) => onSize(Number(event.target.value))}>
      ${PAGE_SIZES.map((n) => html`<option key=${n} value=${n}>${n}</option>`)}
    </select>
  </label>`;

export function Keys({ id }) {
  const { query: { state = '' } } = useRoute();
  // not in the address, as the channels' is: a whole key may be searched for, and an address is kept in many places
  const [q, setQ] = useState('');
  const [size, setSize] = useState(PAGE_SIZES[0]);
  const pages = usePages(JSON.stringify([q, state, size]));
  const read = async () => {
    const [channel, page] = await Promise.all([readChannel(id), readKeys(id, { q, state, after: pages.after, limit: size })]);
    return { channel, ...page };
  };
  const { data, problem, load } = useReading(read, JSON.stringify([q, state, size, pages.after]));
  const tasks = useTasksOf(id, load);
  const [picked, setPicked] = useState([]);
  const { dialog, setDialog, close, changed } = useDialog(load);

  const keysChanged = (said) => {
    changed(said);
    setPicked([]);
  };
  const ordered = (task) => {
    close();
    setPicked([]);
    tasks.watch(task.id);
  };
  const attempt = doing(load);
  // of one key, at once
  const act = (action, which) => attempt(() => changeKeys(id, action, which), t(`keysDone_${action}`, { n: 1 }));
  const open = (kind, more = {}) => setDialog({ kind, ...more });

  const { channel, keys = [] } = data ?? {};
  // what is not on the screen is never changed with the rest
  const chosen = keys.map((key) => key.id).filter((key) => picked.includes(key));
  const first = pages.number * size;
  const clear = () => {
    setQ('');
    changeQuery({ state: '' });
  };
  const Open = dialog && DIALOGS[dialog.kind];
  return html`
    <section class="panel channels">
      <${Head} channel=${channel} open=${open} />
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      <${TasksHere} ...${tasks} />
      ${channel?.keys.total > 0 && html`
        <${Filters} q=${q} state=${state} counts=${channel.keys} onSearch=${setQ} />
        <${Bulk} chosen=${chosen} state=${state} searched=${Boolean(q)} counts=${channel.keys} open=${open} />`}
      ${keys.length > 0 && html`<${Table} keys=${keys} chosen=${chosen} onChosen=${setPicked} act=${act} open=${open} />`}
      ${data && keys.length === 0 && html`
        <div class="empty">
          <p class="soft">${t(q || state ? 'noKeyFits' : 'noKeys')}</p>
          ${(q || state) && html`<button type="button" onClick=${clear}>${t('clearFilters')}</button>`}
        </div>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`
        <${PageFoot} pages=${pages} next=${data.next} onTurn=${() => setPicked([])}>
          ${keys.length < data.count ? t('keysShown', { from: first + 1, to: first + keys.length, n: data.count }) : t('keyCount', { n: data.count })}
          ${data.count > PAGE_SIZES[0] && html`<${PageSize} size=${size} onSize=${setSize} />`}
        <//>`}
    </section>
    ${Open && html`<${Open} id=${id} channel=${channel} state=${state} ...${dialog} onClose=${close} onChanged=${keysChanged} onOrdered=${ordered} />`}`;
}
