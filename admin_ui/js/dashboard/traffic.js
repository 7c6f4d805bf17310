// The chart of the span, with a switch for what it shows.
import { useState } from '../../vendor/preact/hooks.mjs';
import { Chart } from '../components/chart.js';
import { Legend, toggled } from '../components/legend.js';
import { bytes, count, duration, instant, percent, tickCount } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { changeQuery } from '../route.js';
import { OUTCOMES, figuresOf, lineOf, pointsOf, sharesOf } from './figures.js';

const KINDS = ['outcomes', 'latency', 'bytes'];
const LEAST_HIGHEST_BYTES = 1_000;
const LEAST_HIGHEST_MS = 10;

const SHOWN = {
  outcomes: (figures, points) => ({
    kind: 'bars', text: tickCount, sumLabel: t('requests'),
    series: OUTCOMES.filter(([name]) => name === 'ok' || figures.outcomes?.[name]).map(([name, tint]) => ({
      name, tint, label: t(`ending_${name}`), total: count(figures.outcomes?.[name] ?? 0), values: lineOf(figures, name, points),
    })),
    shares: {
      label: t('errorRate'), text: (share) => percent(share * 100),
      values: sharesOf(lineOf(figures, 'requests', points), lineOf(figures, 'errors', points)),
    },
  }),
  latency: (figures, points) => ({
    kind: 'lines', text: duration, leastHighest: LEAST_HIGHEST_MS,
    series: [
      ['p95', 'p95', 'second', figures.duration_ms.p95], ['p50', 'p50', 'ok', figures.duration_ms.p50],
      ['first_byte', t('firstByte'), 'first', figures.first_byte_ms.p50],
    ].map(([name, label, tint, whole]) => ({ name, label, tint, total: duration(whole), values: lineOf(figures, name, points, null) })),
  }),
  bytes: (figures, points) => ({
    kind: 'bars', text: bytes, leastHighest: LEAST_HIGHEST_BYTES, sumLabel: t('bytesTogether'),
    series: [['response_bytes', 'ok'], ['request_bytes', 'first']].map(([name, tint]) => ({
      name, tint, label: t(name), total: bytes(figures[name]), values: lineOf(figures, name, points),
    })),
  }),
};

export function Traffic({ window, endpoint, shown, dimmed }) {
  const [hidden, setHidden] = useState(new Set());
  const kind = KINDS.includes(shown) ? shown : KINDS[0];
  const figures = figuresOf(window, endpoint);
  const drawn = SHOWN[kind](figures, pointsOf(window));
  const label = t('chartLabel', { what: t(`chart_${kind}`), n: figures.requests, from: instant(window.from_ms), to: instant(window.to_ms) });
  return html`
    <section class="panel traffic ${dimmed}" aria-label=${t('traffic')}>
      <div class="panel-head">
        <h2>${t('traffic')} <small>${endpoint || t('allEndpoints')}</small></h2>
        <div class="segments" role="group" aria-label=${t('traffic')}>
          ${KINDS.map((one) => html`
            <button key=${one} type="button" aria-pressed=${one === kind} onClick=${() => changeQuery({ chart: one === KINDS[0] ? '' : one })}>${t(`chart_${one}`)}</button>`)}
        </div>
      </div>
      <${Legend} series=${drawn.series} hidden=${hidden} onToggle=${(name) => setHidden(toggled(hidden, name))} label=${t('legend')} />
      <${Chart} key=${kind} ...${drawn} series=${drawn.series.filter(({ name }) => !hidden.has(name))} label=${label}
        fromMs=${window.from_ms} toMs=${window.to_ms} stepMs=${window.step_s * 1_000} />
    </section>`;
}
