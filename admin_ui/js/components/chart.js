// A chart over time, as stacked bars or lines. SVG, so that colours follow the theme and the text is text.
import { useEffect, useLayoutEffect, useRef, useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { barsPath, linePath, stackHeights, stackPaths, topOf } from './bars.js';
import { spanText, tickText, timeTicks, valueStep } from './time_axis.js';

const HEIGHT = 250;
const MARGIN = { left: 52, right: 8, top: 20, bottom: 24 }; // at the top stand the numbers of spikes
const STRIP = { height: 8, above: 5 };
const TICK_PX = 85;

function useWidth(ref) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return width;
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

/** Which bucket is read, and which are marked to be zoomed into, by mouse, finger and keys. */
function useReader(frame, box, count, onSpan) {
  const [index, setIndex] = useState(null);
  const [anchor, setAnchor] = useState(null); // where the mark that is being drawn began
  const within = (at) => Math.max(0, Math.min(count - 1, at));
  const close = () => {
    setIndex(null);
    setAnchor(null);
  };
  const at = (event) => within(Math.floor(((event.clientX - frame.current.getBoundingClientRect().left - box.left) / box.width) * count));
  const finish = (end) => {
    if (anchor !== null && end !== anchor) onSpan(Math.min(anchor, end), Math.max(anchor, end) + 1);
    setAnchor(null);
  };
  const press = (event) => {
    setIndex(at(event));
    if (onSpan && event.button === 0) setAnchor(at(event));
  };
  const move = (event) => setIndex(at(event));
  // A finger that is lifted leaves, too; its reading stays until something else is pressed.
  const leave = (event) => { if (event.pointerType === 'mouse') close(); };
  const steer = (event) => {
    if (event.key === 'Escape') close();
    if (event.key === 'Enter' && index !== null) finish(index);
    const here = index ?? count;
    const target = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: count - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    if (onSpan) setAnchor(event.shiftKey ? anchor ?? within(here) : null);
    setIndex(within(target));
  };
  usePressOutside(frame, index !== null, close);
  const handlers = {
    onKeyDown: steer, onPointerMove: move, onPointerDown: press, onPointerUp: (event) => finish(at(event)),
    onPointerCancel: close, onPointerLeave: leave, onBlur: close,
  };
  return { index: index === null ? null : within(index), anchor: anchor === null ? null : within(anchor), handlers };
}

const sumsOf = (series, count) => Array.from({ length: count }, (_, i) => series.reduce((sum, { values }) => sum + values[i], 0));
const highestOf = (series, count) => Array.from({ length: count }, (_, i) => Math.max(0, ...series.map(({ values }) => values[i] ?? 0)));

const Bars = ({ series, box, highest }) =>
  stackPaths(stackHeights(series.map(({ values }) => values), highest, box.height), box).map((path, i) => html`
    <path key=${series[i].name} class="fill tint-${series[i].tint}" d=${path} />`);

const Lines = ({ series, box, highest }) => series.map(({ name, tint, values }) => html`
  <path key=${name} class="stroke tint-${tint}" d=${linePath(values, box, highest)} />`);

/** A line for each round value, from nothing on. */
const Values = ({ highest, step, box, text }) => Array.from({ length: Math.round(highest / step) + 1 }, (_, i) => {
  const y = box.top + box.height * (1 - (i * step) / highest);
  return html`
    <line key=${i} class=${i ? 'grid' : 'base'} x1=${box.left} x2=${box.left + box.width} y1=${y} y2=${y} />
    <text x=${box.left - 8} y=${y + 4} text-anchor="end">${text(i * step)}</text>`;
});

/** Marks of the clock below the buckets, but for those whose words would not fit. */
function Times({ fromMs, toMs, box, top }) {
  const x = (ms) => box.left + ((ms - fromMs) / (toMs - fromMs)) * box.width;
  const fits = (ms) => x(ms) > box.left + 14 && x(ms) < box.left + box.width - 16;
  return timeTicks(fromMs, toMs, box.width / TICK_PX).filter(fits).map((ms) => html`
    <line key=${ms} class="tick" x1=${x(ms)} x2=${x(ms)} y1=${top} y2=${top + 4} />
    <text x=${x(ms)} y=${HEIGHT - 5} text-anchor="middle">${tickText(ms)}</text>`);
}

/** A break near the top of each bar that is higher than the scale, with its number above. */
function Spikes({ tops, highest, box, text }) {
  const slot = box.width / tops.length;
  return tops.map((top, i) => {
    if (top <= highest) return null;
    const x = box.left + (i + 0.5) * slot;
    const half = Math.max(slot / 2, 4);
    const anchor = i < tops.length / 8 ? 'start' : i > (tops.length * 7) / 8 ? 'end' : 'middle';
    return html`
      <path class="break" d=${`M${x - half} ${box.top + 12}l${2 * half} -5m${-2 * half} 9l${2 * half} -5`} />
      <text class="spike" x=${x} y=${box.top - 6} text-anchor=${anchor}>▲ ${text(top)}</text>`;
  });
}

/** Shares of each bucket, as a strip of their own below the axis: as red as the share, never too pale to be seen. */
function Strip({ values, box }) {
  const slot = box.width / values.length;
  const place = { ...box, top: box.top + box.height + STRIP.above, height: STRIP.height };
  return html`
    <path class="strip-ground" d=${barsPath(values.map((share) => (share === null ? 0 : STRIP.height)), place)} />
    ${values.map((share, i) => share > 0 && html`
      <rect key=${i} class="strip-share" x=${place.left + i * slot} y=${place.top} width=${slot} height=${place.height} opacity=${0.25 + 0.75 * Math.sqrt(share)} />`)}`;
}

/**
 * fromMs, toMs, stepMs: when the first bucket begins, until when there is something to tell, how long each bucket is.
 * series: [{name, label, tint, values}], values a number for each bucket; with lines null is a gap. `tint` names the
 *   colour, by the class tint-<tint> of css/chart.css.
 * kind: 'bars', stacked from the ground up in their order, or 'lines'.
 * text: a value in words, for axis and reading. sumLabel: what the sum of all bars is called, where it is to be told.
 * leastHighest: the scale ends there at the lowest, so that a single call is no tower. leastStep: between lines.
 * axisText, stepOf: a value in words beside its line, and how far lines are apart for the highest, where text and 1, 2, 5 will not do.
 * shares: {label, text, values}: each 0..1, or null where there is none: a strip below the axis.
 * onZoom(fromMs, toMs): where it is given, a span is marked by dragging, or by Shift with arrows and then Enter.
 * label: what the chart is, for those who hear it. empty: the sentence that stands in it where all is nothing.
 */
export function Chart(props) {
  const { fromMs, toMs, stepMs, series, kind, text, sumLabel, shares, leastHighest = 4, leastStep = 1, axisText = text, stepOf = valueStep, onZoom, label, empty } = props;
  const frame = useRef();
  const width = useWidth(frame);
  const count = Math.max(1, Math.ceil((toMs - fromMs) / stepMs));
  const below = shares ? STRIP.height + STRIP.above : 0;
  const box = {
    left: MARGIN.left, top: MARGIN.top,
    width: Math.max(width - MARGIN.left - MARGIN.right, 1), height: HEIGHT - MARGIN.top - MARGIN.bottom - below,
  };
  const edge = (i) => fromMs + i * stepMs;
  const { index, anchor, handlers } = useReader(frame, box, count, onZoom && ((first, end) => onZoom(edge(first), Math.min(edge(end), toMs))));

  const tops = kind === 'bars' ? sumsOf(series, count) : highestOf(series, count);
  const most = Math.max(topOf(tops), leastHighest);
  const step = stepOf(most, leastStep);
  const highest = Math.ceil(most / step) * step;
  const slot = box.width / count;
  const [first, last] = anchor === null ? [index, index] : [Math.min(anchor, index), Math.max(anchor, index)];

  return html`
    <div class="chart" ref=${frame} tabindex="0" role="group" aria-label=${label} ...${handlers}>
      ${width > 0 && html`
        <svg width=${width} height=${HEIGHT} aria-hidden="true">
          <${Values} highest=${highest} step=${step} box=${box} text=${axisText} />
          <${Times} fromMs=${fromMs} toMs=${edge(count)} box=${box} top=${box.top + box.height + below} />
          ${index !== null && html`
            <rect class="cursor" x=${box.left + first * slot} y=${box.top} width=${slot * (last - first + 1)} height=${box.height + below} />`}
          <${kind === 'bars' ? Bars : Lines} series=${series} box=${box} highest=${highest} />
          <${Spikes} tops=${tops} highest=${highest} box=${box} text=${text} />
          ${shares && html`<${Strip} values=${shares.values} box=${box} />`}
        </svg>`}
      ${tops.every((top) => !top) && html`<p class="chart-empty">${empty ?? t('noCallsInSpan')}</p>`}
      <div aria-live="polite">
        ${index !== null && html`
          <${Reading} ...${{ series, kind, text, sumLabel, shares, index }} span=${spanText(edge(first), Math.min(edge(last + 1), toMs))}
            left=${box.left + index * slot} right=${box.left + (index + 1) * slot} width=${width} />`}
      </div>
    </div>`;
}

/** What one bucket says, beside it, on the side where there is room. */
function Reading({ series, kind, text, sumLabel, shares, index, span, left, right, width }) {
  const isLeft = left > width - right;
  const place = isLeft ? { right: `${width - left + 6}px` } : { left: `${right + 6}px` };
  const told = kind === 'bars' ? series.filter(({ values }) => values[index] > 0) : series;
  const share = shares?.values[index] ?? null;
  return html`
    <div class="reading" style=${{ ...place, maxWidth: `${(isLeft ? left : width - right) - 6}px` }}>
      <p>${span}</p>
      <dl>
        ${kind === 'bars' && sumLabel && html`<div><dt>${sumLabel}</dt><dd>${text(series.reduce((sum, { values }) => sum + values[index], 0))}</dd></div>`}
        ${told.map(({ name, label, tint, values }) => html`
          <div key=${name}><dt><i class="swatch tint-${tint}"></i>${label}</dt><dd>${values[index] === null ? '–' : text(values[index])}</dd></div>`)}
        ${share > 0 && html`<div><dt>${shares.label}</dt><dd>${shares.text(share)}</dd></div>`}
      </dl>
    </div>`;
}
