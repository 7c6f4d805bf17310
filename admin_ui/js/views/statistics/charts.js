// The courses of the rows: what of the points each kind of chart shows.
import { useState } from '../../../vendor/preact/hooks.mjs';
import { Chart } from '../../components/chart.js';
import { Legend, toggled } from '../../components/legend.js';
import { count, duration, instant, percent, roundUsd, tickCount } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { changeQuery } from '../../route.js';
import { keyOf } from './asked.js';
import { nameOf } from './named.js';

const STEP_MS = { hour: 3_600_000, day: 24 * 3_600_000 };
const TINTS = ['ok', 'first', 'second', 'client', 'timeout', 'limited', 'ended', 'unknown'];
/** So many rows have a series of their own, beside all others together. */
export const MOST_SERIES = TINTS.length - 1;
const LEAST_MS = 10;

const sum = (usage, names) => names.reduce((all, name) => all + (usage[name] ?? 0), 0);
const PUT_IN = ['input', 'cached', 'cache_write_5m', 'cache_write_1h'];
export const tokensIn = (usage) => sum(usage, PUT_IN);
export const tokensOut = (usage) => sum(usage, ['output', 'reasoning']);

/** add: what of a point is shown where several make one; of: where that is no sum, and a gap where nothing was called. */
const KINDS = {
  requests: { kind: 'bars', text: tickCount, whole: count, add: ({ requests }) => requests },
  errors: { kind: 'bars', text: tickCount, whole: count, add: ({ errors }) => errors },
  first_byte: { kind: 'lines', text: duration, whole: duration, of: ({ first_byte_ms: times }) => times.p50, leastHighest: LEAST_MS },
  duration: { kind: 'lines', text: duration, whole: duration, of: ({ duration_ms: times }) => times.p50, leastHighest: LEAST_MS },
  tokens: { kind: 'bars', text: tickCount, whole: tickCount, add: ({ usage }) => tokensIn(usage) + tokensOut(usage) },
  cost: { kind: 'bars', text: roundUsd, whole: roundUsd, add: ({ cost_usd: cost }) => Number(cost), leastHighest: 0.01, leastStep: 0.000001 },
};

/** Where the points of all series lie. */
function gridOf(series, bucket) {
  const times = series.flatMap(({ points }) => points.map(({ at_ms: at }) => at));
  if (!times.length) return null;
  const step = STEP_MS[bucket];
  const first = times.reduce((least, at) => Math.min(least, at));
  const last = times.reduce((most, at) => Math.max(most, at));
  // where clocks are put forward or back, a day is an hour longer or shorter
  return { first, step, places: Math.round((last - first) / step) + 1, place: (at) => Math.round((at - first) / step) };
}

function lineOf({ points }, grid, kind) {
  const values = Array(grid.places).fill(kind.of ? null : 0);
  for (const point of points) values[grid.place(point.at_ms)] = (kind.of ?? kind.add)(point) ?? (kind.of ? null : 0);
  return values;
}

/** The series that are drawn: those of the greatest rows, and all others as one. whole: the series of all calls. */
function drawnOf({ series, whole, count: rows }, by, grid, kind) {
  const named = series.map((one, i) => ({ name: keyOf(one, by), label: nameOf(one, by), tint: TINTS[i], values: lineOf(one, grid, kind) }));
  if (rows > series.length && kind.add) {
    // what is asked for at two moments may be less than nothing
    const values = lineOf(whole, grid, kind).map((value, i) => Math.max(0, value - named.reduce((all, one) => all + one.values[i], 0)));
    named.push({ name: 'others', label: t('allOthers', { n: rows - series.length }), tint: 'left', values });
  }
  return named.map((one) => (kind.add ? { ...one, total: kind.whole(one.values.reduce((all, value) => all + value, 0)) } : one));
}

/** Errors as shares of all requests, of whichever row. */
function sharesOf(whole, grid) {
  const [requests, errors] = [KINDS.requests, KINDS.errors].map((kind) => lineOf(whole, grid, kind));
  return { label: t('errorRate'), text: (share) => percent(share * 100), values: requests.map((n, i) => (n ? errors[i] / n : null)) };
}

export function Charts({ data, by, shown, onZoom }) {
  const [hidden, setHidden] = useState(new Set());
  const name = Object.hasOwn(KINDS, shown) ? shown : 'requests';
  const kind = KINDS[name];
  const grid = gridOf([...data.series, data.whole], data.bucket);
  const drawn = grid ? drawnOf(data, by, grid, kind) : [];
  const visible = drawn.filter((one) => !hidden.has(one.name));
  return html`
    <section class="statistics-chart" aria-label=${t('traffic')}>
      <div class="segments" role="group" aria-label=${t('chartShows')}>
        ${Object.keys(KINDS).map((one) => html`
          <button key=${one} type="button" aria-pressed=${one === name} onClick=${() => changeQuery({ chart: one === 'requests' ? '' : one })}>${t(`course_${one}`)}</button>`)}
      </div>
      <${Legend} series=${drawn} hidden=${hidden} onToggle=${(one) => setHidden(toggled(hidden, one))} label=${t('legend')} />
      ${grid && html`
        <${Chart} key=${name} kind=${kind.kind} text=${kind.text} sumLabel=${t(`course_${name}`)} leastHighest=${kind.leastHighest} leastStep=${kind.leastStep}
          series=${visible} shares=${name === 'requests' ? sharesOf(data.whole, grid) : null} onZoom=${onZoom}
          fromMs=${grid.first} toMs=${grid.first + grid.places * grid.step} stepMs=${grid.step}
          label=${t('courseLabel', { what: t(`course_${name}`), from: instant(grid.first), to: instant(grid.first + grid.places * grid.step) })} />`}
      <p class="hint">${t('zoomHint')}</p>
    </section>`;
}
