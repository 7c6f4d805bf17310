// One row for each endpoint. Who chooses one sees the whole page of it alone.
import { CopyButton } from '../components/copy.js';
import { SearchField } from '../components/filters.js';
import { HealthCells } from '../components/health_cells.js';
import { SortedHead, sortIn, sortedBy } from '../components/sorted_head.js';
import { Sparkline } from '../components/sparkline.js';
import { spanText } from '../components/time_axis.js';
import { NONE, ago, count, duration, percent } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { changeQuery } from '../route.js';

const SEARCH_FROM = 12;
const DOTS = { ok: 'good', degraded: 'fair', failing: 'bad' };

const COLUMNS = {
  endpoint: { value: (row) => row.endpoint, isName: true },
  requests: { value: (row) => row.requests },
  errors: { value: (row) => row.errors },
  p50: { value: (row) => row.p50_ms ?? -1 },
  p95: { value: (row) => row.p95_ms ?? -1 },
  last: { value: (row) => row.last_used_ms ?? 0 },
};
const LABELS = { endpoint: 'endpoint', requests: 'requests', errors: 'errors', last: 'lastUsed' };
const USUAL = 'requests';

/** Those that are alike stay in the order of their names. */
const sorted = (rows, sort) => sortedBy(rows.sort((a, b) => a.endpoint.localeCompare(b.endpoint)), sort, COLUMNS);

const Head = ({ column, sort }) => html`
  <${SortedHead} column=${column} sort=${sort} columns=${COLUMNS} label=${LABELS[column] ? t(LABELS[column]) : column}
    onSort=${(text) => changeQuery({ sort: text === USUAL ? '' : text })} />`;

function Dot({ state }) {
  const text = t(`state_${state}`);
  return html`<i class="dot ${DOTS[state] ?? 'none'}" role="img" aria-label=${text} title=${text}></i>`;
}

function Name({ row, isChosen, choose }) {
  const { endpoint, state } = row;
  const address = location.origin + endpoint;
  return html`
    <span class="name">
      <${Dot} state=${state} />
      <button type="button" class="bare" aria-pressed=${isChosen} title=${t('showAlone', { endpoint })} onClick=${choose}><code>${endpoint}</code></button>
      ${state !== 'removed' && html`<${CopyButton} text=${address} label=${t('copyAddress', { address })} />`}
    </span>`;
}

const lastUsed = ({ last_used_ms: ms }) => ago(ms && ms / 1_000);

const partsOf = ({ requests, errors }) => requests.map((n, i) => ({ requests: n, errors: errors[i] }));

function Row({ row, marks, isChosen, choose }) {
  const press = (event) => { if (!event.target.closest('button')) choose(); };
  return html`
    <tr class=${isChosen ? 'selected' : ''} onClick=${press}>
      <th scope="row"><${Name} row=${row} isChosen=${isChosen} choose=${choose} /></th>
      <td class="wide">${row.segments && html`<${HealthCells} parts=${partsOf(row.segments)} spanOf=${(i) => spanText(marks[i], marks[i + 1])} />`}</td>
      <td class="wide course">${row.segments && html`<${Sparkline} values=${row.segments.requests} />`}</td>
      <td data-label=${t('requests')}>${count(row.requests)}</td>
      <td data-label=${t('errors')} class=${row.errors ? 'bad' : ''}>${count(row.errors)}${row.errors > 0 && html` <small>${percent(row.error_share * 100)}</small>`}</td>
      <td data-label="p50">${duration(row.p50_ms)}</td>
      <td data-label="p95">${duration(row.p95_ms)}</td>
      <td data-label=${t('lastUsed')}>${row.last_used_ms ? lastUsed(row) : NONE}</td>
    </tr>`;
}

const Quiet = ({ rows, chosen, choose }) => html`
  <details class="quiet" open=${rows.some(({ endpoint }) => endpoint === chosen) || null}>
    <summary>${t('withoutCalls', { n: rows.length })}</summary>
    <ul>
      ${rows.map((row) => html`
        <li key=${row.endpoint}>
          <${Name} row=${row} isChosen=${row.endpoint === chosen} choose=${() => choose(row)} />
          ${row.last_used_ms > 0 && html`<small class="soft">${lastUsed(row)}</small>`}
        </li>`)}
    </ul>
  </details>`;

export function Endpoints({ rows, marks, span, query }) {
  const asked = (query.q ?? '').toLowerCase();
  const fitting = rows.filter(({ endpoint }) => endpoint.toLowerCase().includes(asked));
  const sort = sortIn(query.sort, COLUMNS, USUAL);
  const called = sorted(fitting.filter(({ requests }) => requests > 0), sort);
  const quiet = sorted(fitting.filter(({ requests }) => !requests), sortIn('endpoint', COLUMNS, USUAL));
  const choose = ({ endpoint }) => changeQuery({ endpoint: endpoint === query.endpoint ? '' : endpoint });
  return html`
    <section class="panel endpoints">
      <div class="panel-head">
        <h2>${t('endpoints')} <small>${t(`in${span}`)}</small></h2>
        ${rows.length >= SEARCH_FROM && html`<${SearchField} name="q" value=${query.q ?? ''} label=${t('findEndpoint')} />`}
      </div>
      ${called.length > 0 && html`
        <table class="figures-table">
          <thead><tr>
            <${Head} column="endpoint" sort=${sort} />
            <th scope="col" class="wide">${t('endpointHealth')}</th><th scope="col" class="wide course">${t('course')}</th>
            ${['requests', 'errors', 'p50', 'p95', 'last'].map((column) => html`<${Head} key=${column} column=${column} sort=${sort} />`)}
          </tr></thead>
          <tbody>
            ${called.map((row) => html`<${Row} key=${row.endpoint} row=${row} marks=${marks} isChosen=${row.endpoint === query.endpoint} choose=${() => choose(row)} />`)}
          </tbody>
        </table>`}
      ${quiet.length > 0 && html`<${Quiet} rows=${quiet} chosen=${query.endpoint} choose=${choose} />`}
      ${fitting.length === 0 && html`<p class="soft empty">${asked ? t('nothingFound', { query: query.q }) : t('noEndpoints')}</p>`}
    </section>`;
}
