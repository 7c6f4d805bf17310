// Bars of requests with their errors in front. SVG, so that colours follow the theme and the text is text.
import { useLayoutEffect, useRef, useState } from '../../vendor/preact/hooks.mjs';
import { count, day, hour, instant, tickCount } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { barsPath } from './bars.js';

const HEIGHT = 240;
const MARGIN = { left: 46, right: 10, top: 14, bottom: 24 };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TICK_STEPS_MS = [HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS,
  ...[1, 2, 5, 7, 14, 30, 90, 180, 365].map((days) => days * DAY_MS)];

/** The smallest of 1, 2, 5 × 10^n that needs at most four lines. */
function valueStep(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 4) / 4));
  return [1, 2, 5, 10].map((factor) => Math.ceil(factor * power)).find((step) => highest / step <= 4);
}

/** Local midnights, or local full hours, between from and to. */
function timeTicks(fromMs, toMs, most) {
  const step = TICK_STEPS_MS.find((ms) => (toMs - fromMs) / ms <= most) ?? TICK_STEPS_MS.at(-1);
  const at = new Date(fromMs);
  at.setHours(0, 0, 0, 0);
  const ticks = [];
  for (; at <= toMs; step < DAY_MS ? at.setTime(+at + step) : at.setDate(at.getDate() + step / DAY_MS)) {
    if (at >= fromMs) ticks.push(+at);
  }
  return ticks;
}

const tickText = (ms) => (new Date(ms).getHours() ? hour(ms) : day(ms));

function useWidth(ref) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

function spanText(fromMs, stepMs) {
  if (stepMs > DAY_MS) return `${day(fromMs)} – ${day(fromMs + stepMs - 1)}`;
  return stepMs === DAY_MS ? day(fromMs) : `${instant(fromMs)} – ${hour(fromMs + stepMs)}`;
}

export function Chart({ fromMs, toMs, stepMs, series, totals }) {
  const frame = useRef();
  const width = useWidth(frame);
  const [chosen, setChosen] = useState(null);

  const { requests, errors } = series;
  const box = {
    left: MARGIN.left, top: MARGIN.top,
    width: Math.max(width - MARGIN.left - MARGIN.right, 1), height: HEIGHT - MARGIN.top - MARGIN.bottom,
  };
  const step = valueStep(Math.max(...requests, 1));
  const highest = Math.max(Math.ceil(Math.max(...requests) / step), 1) * step;
  const slot = box.width / requests.length;
  const endMs = fromMs + requests.length * stepMs;
  const x = (ms) => box.left + ((ms - fromMs) / (endMs - fromMs)) * box.width;
  const y = (value) => box.top + box.height * (1 - value / highest);
  const lines = Array.from({ length: highest / step + 1 }, (_, i) => i * step);
  const index = chosen === null ? null : Math.min(chosen, requests.length - 1);

  const point = (event) => {
    const place = event.clientX - frame.current.getBoundingClientRect().left - box.left;
    setChosen(Math.max(0, Math.min(requests.length - 1, Math.floor(place / slot))));
  };
  const steer = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') setChosen(null);
    if (!move) return;
    event.preventDefault();
    setChosen(Math.max(0, Math.min(requests.length - 1, (index ?? requests.length) + move)));
  };
  const label = t('chartLabel', { ...totals, from: instant(fromMs), to: instant(toMs) });

  return html`
    <div class="chart" ref=${frame} tabindex="0" role="group" aria-label=${label} onKeyDown=${steer}
      onPointerMove=${point} onPointerDown=${point} onPointerLeave=${() => setChosen(null)} onBlur=${() => setChosen(null)}>
      ${width > 0 && html`
        <svg width=${width} height=${HEIGHT} aria-hidden="true">
          ${lines.map((value) => html`
            <line class=${value ? 'grid' : 'base'} x1=${box.left} x2=${box.left + box.width} y1=${y(value)} y2=${y(value)} />
            <text x=${box.left - 8} y=${y(value) + 4} text-anchor="end">${tickCount(value)}</text>`)}
          ${timeTicks(fromMs, endMs, width / 85).filter((ms) => x(ms) > box.left + 14 && x(ms) < width - 24).map((ms) => html`
            <text x=${x(ms)} y=${HEIGHT - 6} text-anchor="middle">${tickText(ms)}</text>`)}
          ${index !== null && html`
            <rect class="cursor" x=${box.left + index * slot} y=${box.top} width=${slot} height=${box.height} />`}
          <path class="bar-requests" d=${barsPath(requests, highest, box, 1.5)} />
          <path class="bar-errors" d=${barsPath(errors, highest, box, 2)} />
        </svg>`}
      ${totals.requests === 0 && html`<p class="chart-empty">${t('noCallsInSpan')}</p>`}
      ${index !== null && html`
        <p class="reading" aria-live="polite"
          style=${{ left: `${Math.max(80, Math.min(width - 80, box.left + (index + 0.5) * slot))}px` }}>
          <span>${spanText(fromMs + index * stepMs, stepMs)}</span>
          <b>${count(requests[index])} <small>${t('requests')}</small></b>
          ${errors[index] > 0 && html`<b class="bad">${count(errors[index])} <small>${t('errors')}</small></b>`}
        </p>`}
    </div>`;
}
