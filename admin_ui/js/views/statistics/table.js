import { HealthCells } from '../../components/health_cells.js';
import { SortedHead, sortIn, sortedBy } from '../../components/sorted_head.js';
import { spanText } from '../../components/time_axis.js';
import { NONE, count, duration, percent, roundUsd, shortCount } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { changeQuery } from '../../route.js';
import { IDS, keyOf } from './asked.js';
import { tokensIn, tokensOut } from './charts.js';
import { nameOf } from './named.js';

const share = (value) => (value === null ? NONE : percent(value * 100));
const COLUMNS = {
  requests: { value: (row) => row.requests },
  errors: { value: (row) => row.errors },
  success: { value: (row) => row.success_rate ?? -1 },
  first_byte: { value: (row) => row.first_byte_ms.p50 ?? -1 },
  duration: { value: (row) => row.duration_ms.p50 ?? -1 },
  tokens_in: { value: (row) => tokensIn(row.usage) },
  tokens_out: { value: (row) => tokensOut(row.usage) },
  cached: { value: (row) => row.cache_hit_share ?? -1 },
  cost: { value: (row) => Number(row.cost_usd) },
  attempts: { value: (row) => row.attempts },
  peak: { value: (row) => row.rpm.peak },
};

const Times = ({ times }) => html`${duration(times.p50)}${times.p95 !== null && html` <small title="p95">${duration(times.p95)}</small>`}`;

const CELLS = {
  requests: (row) => count(row.requests),
  errors: (row) => count(row.errors),
  success: (row) => share(row.success_rate),
  first_byte: (row) => html`<${Times} times=${row.first_byte_ms} />`,
  duration: (row) => html`<${Times} times=${row.duration_ms} />`,
  tokens_in: (row) => shortCount(tokensIn(row.usage)),
  tokens_out: (row) => shortCount(tokensOut(row.usage)),
  cached: (row) => share(row.cache_hit_share),
  cost: (row) => roundUsd(row.cost_usd),
  attempts: (row) => count(row.attempts),
  peak: (row) => html`${count(row.rpm.peak)} <small title=${t('perMinuteNow')}>${count(row.rpm.now)}</small>`,
};

/** Narrows the page to what a row is of, told apart by what is next of interest. */
function narrow(row, by) {
  const changes = Object.fromEntries(by.filter((way) => row[IDS[way]]).map((way) => [IDS[way], row[IDS[way]]]));
  changeQuery({ ...changes, by: by.includes('model') ? 'channel' : 'model' });
}

/** The last of them ends as long after its begin as the others. */
const partText = (parts, i) => spanText(parts[i].at_ms, parts[i].at_ms + parts[1].at_ms - parts[0].at_ms);

/** The log's calls of a row. */
const callsOf = (row, by) => `#/logs?${new URLSearchParams(by.filter((way) => row[IDS[way]]).map((way) => [IDS[way], row[IDS[way]]]))}`;

const Row = ({ row, by }) => html`
  <tr>
    <th scope="row"><span>
      <button type="button" class="bare row-name" title=${t('narrow')} onClick=${() => narrow(row, by)}>${nameOf(row, by)}</button>
      <a class="small-text" href=${callsOf(row, by)} aria-label=${t('callsOf', { name: nameOf(row, by) })}>${t('theCalls')}</a>
    </span></th>
    ${Object.keys(COLUMNS).map((name) => html`
      <td key=${name} data-label=${t(`column_${name}`)} class=${name === 'errors' && row.errors ? 'bad' : ''}>${CELLS[name](row)}</td>`)}
    <td class="wide" data-label=${t('course')}><${HealthCells} parts=${row.health} spanOf=${(i) => partText(row.health, i)} /></td>
  </tr>`;

export function Rows({ rows, by, sortText }) {
  const columns = { name: { value: (row) => nameOf(row, by).toLocaleLowerCase(), isName: true }, ...COLUMNS };
  const sort = sortIn(sortText, columns, 'requests');
  const order = (text) => changeQuery({ sort: text === 'requests' ? '' : text });
  const labelOf = (name) => (name === 'name' ? by.map((way) => t(`way_${way}`)).join(' · ') : t(`column_${name}`));
  return html`
    <label class="inline sort-narrow">${t('sortedBy')}
      <select name="sort" value=${sort.column} onChange=${(event) => order(event.target.value)}>
        ${Object.keys(columns).map((name) => html`<option key=${name} value=${name}>${labelOf(name)}</option>`)}
      </select>
    </label>
    <div class="table-frame" tabindex="0" role="region" aria-label=${t('statistics')}>
      <table class="sums-table">
        <thead><tr>
          ${Object.keys(columns).map((name) => html`
            <${SortedHead} key=${name} column=${name} sort=${sort} columns=${columns} onSort=${order} label=${labelOf(name)} />`)}
          <th scope="col" class="wide">${t('course')}</th>
        </tr></thead>
        <tbody>${sortedBy(rows, sort, columns).map((row) => html`<${Row} key=${keyOf(row, by)} row=${row} by=${by} />`)}</tbody>
      </table>
    </div>`;
}
