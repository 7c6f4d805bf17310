// One row for each endpoint. Who chooses one sees the whole page of it alone.
import { CopyButton } from '../components/copy.js';
import { SearchField } from '../components/filters.js';
import { HealthCells } from '../components/health_cells.js';
import { Sparkline } from '../components/sparkline.js';
import { spanText } from '../components/time_axis.js';
import { NONE, ago, count, duration, percent } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { changeQuery } from '../route.js';

const SEARCH_FROM = 12;
const DOTS = { ok: 'good', degraded: 'fair', failing: 'bad' };

/** By what each column is sorted, the greatest on top at first but for names. */
const COLUMNS = {
  endpoint: (row) => row.endpoint, requests: (row) => row.requests, errors: (row) => row.errors,
  p50: (row) => row.p50_ms ?? -1, p95: (row) => row.p95_ms ?? -1, last: (row) => row.last_used_ms ?? 0,
};
const LABELS = { endpoint: 'endpoint', requests: 'requests', errors: 'errors', last: 'lastUsed' };
const fallsAtFirst = (column) => column !== 'endpoint';

/** `p95`: as that column is sorted at first; `-p95`: the other way. */
function sortOf(text = 'requests') {
  const column = text.replace(/^-/, '');
  return Object.hasOwn(COLUMNS, column) ? { column, falls: fallsAtFirst(column) !== text.startsWith('-') } : { column: 'requests', falls: true };
}

function sorted(rows, { column, falls }) {
  const value = COLUMNS[column];
  const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return rows.sort((a, b) => (falls ? -1 : 1) * compare(a, b) || a.endpoint.localeCompare(b.endpoint));
}

function Head({ column, sort }) {
  const isSorted = column === sort.column;
  const next = isSorted && sort.falls === fallsAtFirst(column) ? `-${column}` : column;
  return html`
    <th scope="col" aria-sort=${isSorted ? (sort.falls ? 'descending' : 'ascending') : null}>
      <button type="button" class="bare" onClick=${() => changeQuery({ sort: next === 'requests' ? '' : next })}>
        ${LABELS[column] ? t(LABELS[column]) : column}<span aria-hidden="true">${isSorted ? (sort.falls ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>`;
}

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
  const sort = sortOf(query.sort);
  const called = sorted(fitting.filter(({ requests }) => requests > 0), sort);
  const quiet = sorted(fitting.filter(({ requests }) => !requests), sortOf('endpoint'));
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
