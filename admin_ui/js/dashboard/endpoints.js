// One row for each endpoint. Who chooses one sees the whole page of it alone.
import { CopyButton } from '../components/copy.js';
import { SearchField } from '../components/filters.js';
import { Sparkline } from '../components/sparkline.js';
import { ago, count, duration, percent } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { changeQuery } from '../route.js';
import { errorShare, figuresOf, healthOf, lastCalled, lineOf, pointsOf, stateOf } from './figures.js';

const SEARCH_FROM = 12;
const HEALTH_BOX = { width: 150, height: 16, gap: 1 };
const STATES = ['none', 'good', 'fair', 'bad'];

const COLUMNS = {
  endpoint: (row) => row.prefix, requests: (row) => row.requests, errors: (row) => row.errors,
  p50: (row) => row.duration_ms.p50 ?? -1, p95: (row) => row.duration_ms.p95 ?? -1, last: (row) => row.lastUsed,
};
const LABELS = { endpoint: 'endpoint', requests: 'requests', errors: 'errors', p50: 'p50', p95: 'p95', last: 'lastUsed' };

const labelOf = (column) => (column.startsWith('p') ? column : t(LABELS[column]));
const defaultDown = (column) => column !== 'endpoint';

/** `p95`: as that column is sorted at first, the greatest on top but for names; `-p95`: the other way. */
function sortOf(text) {
  const column = text?.replace(/^-/, '');
  return Object.hasOwn(COLUMNS, column) ? { column, down: defaultDown(column) !== text.startsWith('-') } : { column: 'requests', down: true };
}

function sorted(rows, { column, down }) {
  const value = COLUMNS[column];
  const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return rows.sort((a, b) => (down ? -1 : 1) * compare(a, b) || a.prefix.localeCompare(b.prefix));
}

function Head({ column, sort }) {
  const isSorted = column === sort.column;
  const turned = isSorted && sort.down === defaultDown(column) ? `-${column}` : column;
  return html`
    <th scope="col" aria-sort=${isSorted ? (sort.down ? 'descending' : 'ascending') : null}>
      <button type="button" class="bare" onClick=${() => changeQuery({ sort: turned === 'requests' ? '' : turned })}>
        ${labelOf(column)}<span aria-hidden="true">${isSorted ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>`;
}

const healthText = (health) => {
  const called = health.filter(({ requests }) => requests > 0);
  return t('healthOf', { n: called.length, good: called.filter((part) => stateOf(part) === 'good').length });
};

/** Parts of the span, one path for each state. */
function Health({ health }) {
  const slot = HEALTH_BOX.width / health.length;
  const paths = Object.fromEntries(STATES.map((state) => [state, '']));
  health.forEach((part, i) => {
    const state = stateOf(part);
    const [top, height] = state === 'none' ? [6, 4] : [0, HEALTH_BOX.height];
    paths[state] += `M${(i * slot).toFixed(1)} ${top}h${(slot - HEALTH_BOX.gap).toFixed(1)}v${height}h${(HEALTH_BOX.gap - slot).toFixed(1)}z`;
  });
  return html`
    <svg class="health" viewBox="0 0 150 16" preserveAspectRatio="none" role="img" aria-label=${healthText(health)}>
      ${STATES.map((state) => paths[state] && html`<path key=${state} class=${state} d=${paths[state]} />`)}
    </svg>`;
}

function Dot({ health }) {
  const latest = lastCalled(health);
  const state = stateOf(latest);
  const text = latest ? t('latestOf', { n: latest.requests, share: percent(errorShare(latest) * 100) }) : t('noCallsInSpan');
  return html`<i class="dot ${state}" role="img" aria-label=${text} title=${text}></i>`;
}

const Address = ({ prefix }) => {
  const address = location.origin + prefix;
  return html`<${CopyButton} text=${address} label=${t('copyAddress', { address })} />`;
};

function Row({ row, points, isChosen, choose }) {
  const [requests, errors] = ['requests', 'errors'].map((name) => lineOf(row, name, points));
  const health = healthOf(requests, errors);
  const pick = () => choose(isChosen ? '' : row.prefix);
  const press = (event) => { if (!event.target.closest('button')) pick(); };
  return html`
    <tr class=${isChosen ? 'selected' : ''} onClick=${press}>
      <th scope="row">
        <span class="name">
          <${Dot} health=${health} />
          <button type="button" class="bare" aria-pressed=${isChosen} title=${t('showAlone', { endpoint: row.prefix })} onClick=${pick}><code>${row.prefix}</code></button>
          <${Address} prefix=${row.prefix} />
        </span>
      </th>
      <td class="wide"><${Health} health=${health} /></td>
      <td class="wide course"><${Sparkline} values=${requests} /></td>
      <td data-label=${t('requests')}>${count(row.requests)}</td>
      <td data-label=${t('errors')} class=${row.errors ? 'bad' : ''}>${count(row.errors)}${row.errors > 0 && html` <small>${percent(errorShare(row) * 100)}</small>`}</td>
      <td data-label="p50">${duration(row.duration_ms.p50)}</td>
      <td data-label="p95">${duration(row.duration_ms.p95)}</td>
      <td data-label=${t('lastUsed')}>${ago(row.lastUsed)}</td>
    </tr>`;
}

const Quiet = ({ rows, isChosen, choose }) => html`
  <details class="quiet" open=${rows.some(({ prefix }) => isChosen(prefix)) || null}>
    <summary>${t('withoutCalls', { n: rows.length })}</summary>
    <ul>
      ${rows.map(({ prefix, lastUsed }) => html`
        <li key=${prefix}>
          <button type="button" class="bare" aria-pressed=${isChosen(prefix)} onClick=${() => choose(isChosen(prefix) ? '' : prefix)}><code>${prefix}</code></button>
          <${Address} prefix=${prefix} /><small class="soft">${lastUsed ? ago(lastUsed) : ''}</small>
        </li>`)}
    </ul>
  </details>`;

export function Endpoints({ stats, window, span, query, dimmed }) {
  const sort = sortOf(query.sort);
  const asked = (query.q ?? '').toLowerCase();
  const rows = Object.entries(stats.endpoints)
    .filter(([prefix]) => prefix.toLowerCase().includes(asked))
    .map(([prefix, whole]) => ({ ...figuresOf(window, prefix), prefix, lastUsed: whole.last_request }));
  const called = sorted(rows.filter(({ requests }) => requests > 0), sort);
  const quiet = sorted(rows.filter(({ requests }) => !requests), { column: 'endpoint', down: false });
  const choose = (endpoint) => changeQuery({ endpoint });
  const isChosen = (prefix) => prefix === query.endpoint;
  const points = pointsOf(window);
  return html`
    <section class="panel endpoints ${dimmed}">
      <div class="panel-head">
        <h2>${t('endpoints')} <small>${t(`in${span}`)}</small></h2>
        ${Object.keys(stats.endpoints).length >= SEARCH_FROM && html`<${SearchField} name="q" value=${query.q ?? ''} label=${t('findEndpoint')} />`}
      </div>
      ${called.length > 0 && html`
        <table class="figures-table">
          <thead><tr>
            <${Head} column="endpoint" sort=${sort} />
            <th scope="col" class="wide">${t('endpointHealth')}</th><th scope="col" class="wide">${t('course')}</th>
            ${['requests', 'errors', 'p50', 'p95', 'last'].map((column) => html`<${Head} key=${column} column=${column} sort=${sort} />`)}
          </tr></thead>
          <tbody>
            ${called.map((row) => html`<${Row} key=${row.prefix} row=${row} points=${points} isChosen=${isChosen(row.prefix)} choose=${choose} />`)}
          </tbody>
        </table>`}
      ${quiet.length > 0 && html`<${Quiet} rows=${quiet} isChosen=${isChosen} choose=${choose} />`}
      ${rows.length === 0 && html`<p class="soft empty">${asked ? t('nothingFound', { query: query.q }) : t('noEndpoints')}</p>`}
    </section>`;
}
