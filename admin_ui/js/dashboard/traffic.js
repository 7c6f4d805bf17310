// The chart of the span, with a switch for what it shows.
import { useState } from '../../vendor/preact/hooks.mjs';
import { Chart } from '../components/chart.js';
import { Legend, toggled } from '../components/legend.js';
import { durationStep } from '../components/time_axis.js';
import { bytes, count, duration, instant, percent, tickBytes, tickCount, tickDuration } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { changeQuery } from '../route.js';
import { OUTCOMES, lineOf, outcomeLine, sharesLine } from './figures.js';

const KINDS = ['outcomes', 'latency', 'bytes'];
const LEAST_HIGHEST_BYTES = 1_000;
const LEAST_HIGHEST_MS = 10;

const SHOWN = {
  outcomes: (traffic) => ({
    kind: 'bars', text: count, axisText: tickCount, sumLabel: t('requests'),
    series: OUTCOMES.filter(([name]) => name === 'ok' || traffic.figures.outcomes[name]).map(([name, tint]) => ({
      name, tint, label: t(`ending_${name}`), total: count(traffic.figures.outcomes[name]), values: outcomeLine(traffic, name),
    })),
    shares: { label: t('errorRate'), text: (share) => percent(share * 100), values: sharesLine(traffic) },
  }),
  latency: (traffic) => ({
    kind: 'lines', text: duration, axisText: tickDuration, stepOf: durationStep, leastHighest: LEAST_HIGHEST_MS,
    series: [
      ['p95_ms', 'p95', 'second', traffic.figures.duration_ms.p95], ['p50_ms', 'p50', 'ok', traffic.figures.duration_ms.p50],
      ['first_byte_ms', t('firstByte'), 'first', traffic.figures.first_byte_ms.p50],
    ].map(([name, label, tint, whole]) => ({ name, label, tint, total: duration(whole), values: lineOf(traffic, name, null) })),
  }),
  bytes: (traffic) => ({
    kind: 'bars', text: bytes, axisText: tickBytes, leastHighest: LEAST_HIGHEST_BYTES, sumLabel: t('bytesTogether'),
    series: [['response_bytes', 'ok'], ['request_bytes', 'first']].map(([name, tint]) => ({
      name, tint, label: t(name), total: bytes(traffic.figures[name]), values: lineOf(traffic, name),
    })),
  }),
};

export function Traffic({ traffic, endpoint, shown }) {
  const [hidden, setHidden] = useState(new Set());
  const kind = KINDS.includes(shown) ? shown : KINDS[0];
  const drawn = SHOWN[kind](traffic);
  const series = drawn.series.filter(({ name }) => !hidden.has(name));
  const { from_ms: fromMs, to_ms: toMs, first_point_ms: firstMs, step_ms: stepMs, figures } = traffic;
  const label = t('chartLabel', { what: t(`chart_${kind}`), n: figures.requests, from: instant(fromMs), to: instant(toMs) });
  return html`
    <section class="panel traffic" aria-label=${t('traffic')}>
      <div class="panel-head">
        <h2>${t('traffic')} <small>${endpoint || t('allEndpoints')}</small></h2>
        <div class="segments" role="group" aria-label=${t('traffic')}>
          ${KINDS.map((one) => html`
            <button key=${one} type="button" aria-pressed=${one === kind} onClick=${() => changeQuery({ chart: one === KINDS[0] ? '' : one })}>${t(`chart_${one}`)}</button>`)}
        </div>
      </div>
      <${Legend} series=${drawn.series} hidden=${hidden} onToggle=${(name) => setHidden(toggled(hidden, name))} label=${t('legend')} />
      <${Chart} key=${kind} ...${drawn} series=${series} sumLabel=${series.length === drawn.series.length && drawn.sumLabel} label=${label}
        fromMs=${firstMs} toMs=${toMs} stepMs=${stepMs} />
    </section>`;
}
