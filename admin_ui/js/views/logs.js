// The latest calls: #/logs lists them, #/logs/<request id> shows one of them besides.
import { readLogs } from '../api.js';
import { Banner } from '../components/banner.js';
import { Choices, SearchField } from '../components/filters.js';
import { Icon } from '../components/icons.js';
import { PageFoot } from '../components/pages.js';
import { Cost, Tokens } from '../components/used.js';
import { moment } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { usePages } from '../pages.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { outcomeText } from './channels/state.js';
import { CallDialog } from './logs/call.js';
import { Caller, LedTo, Model, Outcome, Times, logsAddress } from './logs/parts.js';

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

/** What a name in a row narrows the list to, its word, and how a row names it. */
const NARROWED = [
  ['channel_id', 'channel', (row) => row.channel],
  ['token_id', 'accessToken', (row) => row.token],
  ['mapping', 'mapping', (row) => row.mapping],
];

/** By what the list is narrowed, each with a button that takes it away. */
const Narrowed = ({ narrowed, rows }) => html`
  <div class="narrowed">
    ${NARROWED.filter(([field]) => narrowed[field]).map(([field, word, nameIn]) => {
      const name = (rows[0] && nameIn(rows[0])) ?? narrowed[field];
      return html`
        <button type="button" class="small" key=${field} aria-label=${t('widen', { what: `${t(word)}: ${name}` })} onClick=${() => changeQuery({ [field]: '' })}>
          ${t(word)}: ${name} <${Icon} name="close" />
        </button>`;
    })}
  </div>`;

const Row = ({ row, attempts }) => html`
  <tr>
    <th scope="row" class="stacked">
      <a href=${logsAddress({}, row.request_id)} aria-label=${t('showCall', { when: moment(row.at_ms) })}>${moment(row.at_ms)}</a>
      ${row.attempt > (attempts ? 0 : 1) && html`<span class="soft small-text">${t('attemptNumber', { n: row.attempt })}</span>`}
    </th>
    <td class="stacked" data-label=${t('outcome')}><${Outcome} row=${row} /></td>
    <td class="stacked" data-label=${t('model')}><${Model} row=${row} /></td>
    <td class="stacked" data-label=${t('ledTo')}><${LedTo} row=${row} narrows /></td>
    <td class="stacked" data-label=${t('caller')}><${Caller} row=${row} /></td>
    <td data-label=${t('times')}><${Times} row=${row} /></td>
    <td class="stacked" data-label=${t('tokensInOut')}><${Tokens} usage=${row.usage} /></td>
    <td data-label=${t('cost')}><${Cost} cost=${row.cost_usd} unpriced=${row.unpriced} /></td>
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
      <button type="button" onClick=${() => changeQuery({ q: '', model: '', status: '', outcome: '', channel_id: '', token_id: '', mapping: '' })}>${t('clearFilters')}</button>
    </div>`
  : html`<div class="empty"><h2>${t('noLogs')}</h2><p class="soft">${t('noLogsText')}</p></div>`;

export function Logs() {
  const { rest: [id], query } = useRoute();
  const { q = '', model = '', status = '', outcome = '', rows: which = '', channel_id = '', token_id = '', mapping = '' } = query;
  const asked = { q, model, status, outcome, rows: which };
  const narrowed = { channel_id, token_id, mapping };
  const filter = JSON.stringify([asked, narrowed]);
  const pages = usePages(filter);
  const read = () => readLogs({ q, model, status, outcome, ...narrowed, final: which ? '' : 'true', after: pages.after, limit: PAGE });
  const { data, problem } = useReading(read, JSON.stringify([filter, pages.after]));
  const rows = data?.logs ?? [];
  const isFiltered = Boolean(q || model || status || outcome || channel_id || token_id || mapping);
  return html`
    <section class="panel channels logs">
      <div class="panel-head"><h1>${t('logs')}</h1></div>
      <p class="soft">${t('logsText')}</p>
      ${(isFiltered || which || rows.length > 0) && html`<${Filters} asked=${asked} />`}
      ${(channel_id || token_id || mapping) && html`<${Narrowed} narrowed=${narrowed} rows=${rows} />`}
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${rows.length > 0 && html`<${Table} rows=${rows} attempts=${which === 'all'} />`}
      ${data && rows.length === 0 && html`<${Nothing} filtered=${isFiltered || pages.after} />`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && (pages.number > 0 || data.next) && html`<${PageFoot} pages=${pages} next=${data.next} />`}
    </section>
    ${id && html`<${CallDialog} key=${id} id=${id} onClose=${() => { location.hash = logsAddress({}); }} />`}`;
}
