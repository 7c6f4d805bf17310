// Bars of requests with their errors in front. SVG, so that colours follow the theme and the text is text.
import { useEffect, useLayoutEffect, useRef, useState } from '../../vendor/preact/hooks.mjs';
import { day, hour, instant, tickCount } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { barHeights, barsPath } from './bars.js';

const HEIGHT = 260;
const MARGIN = { left: 46, right: 10, top: 38, bottom: 24 }; // at the top stands the reading, which covers no bar
const LEAST_HIGHEST = 4; // so that a single call is no tower
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

/** Calls back when something outside the element is pressed, for as long as `open`. */
function usePressOutside(ref, open, onPress) {
  useEffect(() => {
    if (!open) return undefined;
    const press = (event) => { if (!ref.current.contains(event.target)) onPress(); };
    document.addEventListener('pointerdown', press);
    return () => document.removeEventListener('pointerdown', press);
  }, [open]);
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
  const most = Math.max(...requests, LEAST_HIGHEST);
  const step = valueStep(most);
  const highest = Math.ceil(most / step) * step;
  const heights = barHeights(requests, errors, highest, box.height);
  const slot = box.width / requests.length;
  const endMs = fromMs + requests.length * stepMs;
  const x = (ms) => box.left + ((ms - fromMs) / (endMs - fromMs)) * box.width;
  const y = (value) => box.top + box.height * (1 - value / highest);
  const lines = Array.from({ length: highest / step + 1 }, (_, i) => i * step);
  const index = chosen === null ? null : Math.min(chosen, requests.length - 1);

  const choose = (at) => setChosen(Math.max(0, Math.min(requests.length - 1, at)));
  const close = () => setChosen(null);
  const point = (event) => {
    const place = event.clientX - frame.current.getBoundingClientRect().left - box.left;
    choose(Math.floor(place / slot));
  };
  // A finger that is lifted leaves, too; its reading stays until something else is pressed.
  const leave = (event) => { if (event.pointerType === 'mouse') close(); };
  usePressOutside(frame, index !== null, close);
  const steer = (event) => {
    if (event.key === 'Escape') close();
    const here = index ?? requests.length;
    const target = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: requests.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    choose(target);
  };
  const middle = box.left + ((index ?? 0) + 0.5) * slot;
  const label = t('chartLabel', {
    requests: t('requestsOf', { n: totals.requests }), errors: t('errorsOf', { n: totals.errors }), from: instant(fromMs), to: instant(toMs),
  });

  return html`
    <div class="chart" ref=${frame} tabindex="0" role="group" aria-label=${label} onKeyDown=${steer}
      onPointerMove=${point} onPointerDown=${point} onPointerLeave=${leave} onBlur=${close}>
      ${width > 0 && html`
        <svg width=${width} height=${HEIGHT} aria-hidden="true">
          ${lines.map((value) => html`
            <line class=${value ? 'grid' : 'base'} x1=${box.left} x2=${box.left + box.width} y1=${y(value)} y2=${y(value)} />
            <text x=${box.left - 8} y=${y(value) + 4} text-anchor="end">${tickCount(value)}</text>`)}
          ${timeTicks(fromMs, endMs, width / 85).filter((ms) => x(ms) > box.left + 14 && x(ms) < width - 24).map((ms) => html`
            <text x=${x(ms)} y=${HEIGHT - 6} text-anchor="middle">${tickText(ms)}</text>`)}
          ${index !== null && html`
            <rect class="cursor" x=${box.left + index * slot} y=${box.top} width=${slot} height=${box.height} />`}
          <path class="bar-requests" d=${barsPath(heights.requests, box)} />
          <path class="bar-errors" d=${barsPath(heights.errors, box)} />
        </svg>`}
      ${totals.requests === 0 && html`<p class="chart-empty">${t('noCallsInSpan')}</p>`}
      ${index !== null && html`
        <p class="reading" aria-live="polite" style=${{ left: `${middle}px`, translate: `${(-100 * middle) / width}% 0` }}>
          <span>${spanText(fromMs + index * stepMs, stepMs)}</span>
          <b>${t('requestsOf', { n: requests[index] })}</b>
          ${errors[index] > 0 && html`<b class="bad">${t('errorsOf', { n: errors[index] })}</b>`}
        </p>`}
    </div>`;
}
