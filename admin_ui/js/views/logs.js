// The latest calls: #/logs lists them, #/logs/<request id> shows one of them besides.
import { useState } from '../../vendor/preact/hooks.mjs';
import { readLogs } from '../api.js';
import { Banner } from '../components/banner.js';
import { Choices, SearchField } from '../components/filters.js';
import { NONE, moment } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { outcomeText } from './channels/state.js';
import { CallDialog } from './logs/call.js';
import { Cost, LedTo, Model, Outcome, Times, Tokens } from './logs/parts.js';

const PAGE = 50;
const STATUSES = [2, 3, 4, 5];
const OUTCOMES = [
  'ok', 'refused', 'answered_here', 'client_gone', 'rate_limited', 'rate_limited_account', 'quota_exhausted', 'invalid_key',
  'refused_key', 'account_suspended', 'model_unavailable', 'overloaded', 'server_error', 'unreachable', 'timeout', 'soft_error',
  'empty', 'malformed', 'stalled', 'truncated', 'try_again', 'too_long', 'content_filtered', 'bad_request',
];

const Filters = ({ asked }) => html`
  <div class="filters" role="search">
    <${SearchField} name="q" value=${asked.q} label=${t('searchLogs')} />
    <${SearchField} name="model" value=${asked.model} label=${t('exactModel')} />
    <${Choices} name="status" value=${asked.status} label=${t('state')} all=${t('allStatuses')}
      choices=${STATUSES.map((n) => [`${n}xx`, t('statusClass', { n })])} />
    <${Choices} name="outcome" value=${asked.outcome} label=${t('outcome')} all=${t('allOutcomes')}
      choices=${OUTCOMES.map((name) => [name, outcomeText(name)])} />
    <${Choices} name="rows" value=${asked.rows} label=${t('which')} all=${t('finalRows')} choices=${[['all', t('allRows')]]} />
  </div>`;

const here = () => location.hash.split('?')[1] ?? '';
/** The address of one call, or of none, with the filters as they are. */
const addressOf = (id) => `#/logs${id ? `/${id}` : ''}${here() && `?${here()}`}`;

const Row = ({ row, attempts }) => html`
  <tr>
    <th scope="row" class="stacked">
      <a href=${addressOf(row.request_id)} aria-label=${t('showCall', { when: moment(row.at_ms) })}>${moment(row.at_ms)}</a>
      ${attempts && row.attempt > 0 && html`<span class="soft small-text">${t('attemptNumber', { n: row.attempt })}</span>`}
      ${!attempts && row.attempt > 1 && html`<span class="soft small-text">${t('attemptNumber', { n: row.attempt })}</span>`}
    </th>
    <td class="stacked" data-label=${t('outcome')}><${Outcome} row=${row} /></td>
    <td class="stacked" data-label=${t('model')}><${Model} row=${row} /></td>
    <td class="stacked" data-label=${t('ledTo')}><${LedTo} row=${row} /></td>
    <td class="stacked" data-label=${t('caller')}><span>${row.token ?? NONE}</span><code class="soft">${row.client}</code></td>
    <td data-label=${t('times')}><${Times} row=${row} /></td>
    <td class="stacked" data-label=${t('tokensInOut')}><${Tokens} usage=${row.usage} /></td>
    <td data-label=${t('cost')}><${Cost} row=${row} /></td>
  </tr>`;

const Table = ({ rows, attempts }) => html`
  <table class="logs-table">
    <thead><tr>
      <th scope="col">${t('when')}</th><th scope="col">${t('outcome')}</th><th scope="col">${t('model')}</th><th scope="col">${t('ledTo')}</th>
      <th scope="col">${t('caller')}</th><th scope="col">${t('times')}</th><th scope="col">${t('tokensInOut')}</th><th scope="col">${t('cost')}</th>
    </tr></thead>
    <tbody>${rows.map((row) => html`<${Row} key=${row.id} row=${row} attempts=${attempts} />`)}</tbody>
  </table>`;

const Nothing = ({ filtered }) => filtered
  ? html`
    <div class="empty">
      <p class="soft">${t('noLogFits')}</p>
      <button type="button" onClick=${() => changeQuery({ q: '', model: '', status: '', outcome: '' })}>${t('clearFilters')}</button>
    </div>`
  : html`<div class="empty"><h2>${t('noLogs')}</h2><p class="soft">${t('noLogsText')}</p></div>`;

export function Logs() {
  const { rest: [id], query: { q = '', model = '', status = '', outcome = '', rows: which = '' } } = useRoute();
  const asked = { q, model, status, outcome, rows: which };
  const filter = JSON.stringify(asked);
  // where the pages before this one began
  const [before, setBefore] = useState([]);
  const [after, setAfter] = useState('');
  const [filtered, setFiltered] = useState(filter);
  if (filter !== filtered) {
    setFiltered(filter);
    setBefore([]);
    setAfter('');
  }
  const read = () => readLogs({ q, model, status, outcome, final: which ? '' : 'true', after, limit: PAGE });
  const { data, problem } = useReading(read, JSON.stringify([filter, after]));
  const turn = (back) => {
    setAfter(back ? before.at(-1) : data.next);
    setBefore(back ? before.slice(0, -1) : [...before, after]);
  };
  const rows = data?.logs ?? [];
  const isFiltered = Boolean(q || model || status || outcome);
  return html`
    <section class="panel channels logs">
      <div class="panel-head"><h1>${t('logs')}</h1></div>
      <p class="soft">${t('logsText')}</p>
      ${(isFiltered || which || rows.length > 0) && html`<${Filters} asked=${asked} />`}
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${rows.length > 0 && html`<${Table} rows=${rows} attempts=${which === 'all'} />`}
      ${data && rows.length === 0 && html`<${Nothing} filtered=${isFiltered || after} />`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && (before.length > 0 || data.next) && html`
        <footer class="pages">
          <span></span>
          <button type="button" disabled=${before.length === 0} onClick=${() => turn(true)}>${t('previousPage')}</button>
          <button type="button" disabled=${!data.next} onClick=${() => turn(false)}>${t('nextPage')}</button>
        </footer>`}
    </section>
    ${id && html`<${CallDialog} key=${id} id=${id} onClose=${() => { location.hash = addressOf(''); }} />`}`;
}
