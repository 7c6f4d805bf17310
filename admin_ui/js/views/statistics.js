// #/statistics: what calls add up to, by channel, model, token and so on, over any span.
import { readSeries, readSums } from '../api.js';
import { Banner } from '../components/banner.js';
import { NONE, count, duration, percent, roundUsd, shortCount } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { FILTERS, askedIn, boundsOf, bucketOf, toAsk } from './statistics/asked.js';
import { Charts, MOST_SERIES, tokensIn, tokensOut } from './statistics/charts.js';
import { Scope } from './statistics/scope.js';
import { Rows } from './statistics/table.js';

const POLL_MS = 15_000;
const MOST_ROWS = 500;
const DAY_MS = 24 * 3_600_000;

const Figure = ({ label, value, more }) => html`<div><dt>${label}</dt><dd>${value}${more && html` <small class="soft">${more}</small>`}</dd></div>`;

const Totals = ({ totals }) => html`
  <dl class="sums">
    <${Figure} label=${t('requests')} value=${count(totals.requests)} />
    <${Figure} label=${t('errors')} value=${count(totals.errors)} more=${totals.requests ? percent((totals.errors / totals.requests) * 100) : ''} />
    <${Figure} label=${t('column_first_byte')} value=${duration(totals.first_byte_ms.p50)} more=${totals.first_byte_ms.p95 === null ? '' : `p95 ${duration(totals.first_byte_ms.p95)}`} />
    <${Figure} label=${t('column_duration')} value=${duration(totals.duration_ms.p50)} more=${totals.duration_ms.p95 === null ? '' : `p95 ${duration(totals.duration_ms.p95)}`} />
    <${Figure} label=${t('tokensInOut')} value=${`${shortCount(tokensIn(totals.usage))} / ${shortCount(tokensOut(totals.usage))}`} />
    <${Figure} label=${t('column_cached')} value=${totals.cache_hit_share === null ? NONE : percent(totals.cache_hit_share * 100)} />
    <${Figure} label=${t('cost')} value=${roundUsd(totals.cost_usd)} />
  </dl>`;

/** Rows, totals and series of the same question; `whole` is the series of all calls. */
async function read(asked) {
  const [question, bucket] = [toAsk(asked), bucketOf(asked.range)];
  const [sums, { series }, { series: [whole] }] = await Promise.all([
    readSums({ ...question, limit: MOST_ROWS }), readSeries({ ...question, bucket, limit: MOST_SERIES }), readSeries({ ...question, by: '', bucket }),
  ]);
  return { ...sums, series, whole, bucket };
}

/** As a place of its own in the history, so that the browser's way back undoes it. */
function zoom(fromMs, toMs) {
  const [path, query = ''] = location.hash.split('?');
  location.hash = `${path}?${new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), range: `${fromMs}-${toMs}` })}`;
}

/** Until the answer says it: about what is asked for. */
const spanOf = (data, range) => {
  const [from, to] = boundsOf(range) ?? [Date.now() - DAY_MS, Date.now()];
  return { from_ms: data?.from_ms ?? from, to_ms: data?.to_ms ?? to };
};

const Nothing = ({ isFiltered }) => html`
  <div class="empty">
    <h2>${t('noCallsInSpan')}</h2>
    ${isFiltered
      ? html`<button type="button" onClick=${() => changeQuery(Object.fromEntries(FILTERS.map((name) => [name, ''])))}>${t('clearFilters')}</button>`
      : html`<p class="soft">${t('noSumsText')}</p>`}
  </div>`;

export function Statistics() {
  const { query } = useRoute();
  const asked = askedIn(query);
  const what = JSON.stringify(asked);
  const { data, problem } = useReading(() => read(asked).then((answer) => ({ ...answer, what, by: asked.by })), what, () => POLL_MS);
  const span = spanOf(data, asked.range);
  const isWider = () => zoom(Math.max(0, 2 * span.from_ms - span.to_ms), Math.min(Date.now(), 2 * span.to_ms - span.from_ms));
  return html`
    <section class="panel channels statistics" aria-busy=${data?.what !== what}>
      <div class="panel-head">
        <h1>${t('statistics')}</h1>
        ${boundsOf(asked.range) && html`<button type="button" onClick=${isWider}>${t('zoomOut')}</button>`}
      </div>
      <p class="soft">${t('statisticsText')}</p>
      <${Scope} asked=${asked} span=${span} />
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`
        <${Totals} totals=${data.totals} />
        ${data.rows.length > 0
          ? html`
            <${Charts} data=${data} by=${data.by} shown=${query.chart} onZoom=${zoom} />
            <${Rows} rows=${data.rows} by=${data.by} sortText=${query.sort} />`
          : html`<${Nothing} isFiltered=${FILTERS.some((name) => asked.filters[name])} />`}`}
    </section>`;
}
