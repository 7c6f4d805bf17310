// A few numbers over time, as small as a word. What it shows is told elsewhere, so nobody hears it.
import { html } from '../html.js';
import { barsPath, linePath, stackHeights, topOf } from './bars.js';

const BOX = { left: 0, top: 1, width: 200, height: 26 };

/** values: numbers; null is a gap. kind: 'bars' or 'line'; tint: as of Chart. */
export function Sparkline({ values, kind = 'bars', tint = 'ok' }) {
  const highest = Math.max(topOf(values), kind === 'bars' ? 1 : Number.MIN_VALUE);
  return html`
    <svg class="spark tint-${tint}" viewBox="0 0 200 28" preserveAspectRatio="none" aria-hidden="true">
      ${kind === 'bars'
        ? html`<path class="fill" d=${barsPath(stackHeights([values], highest, BOX.height)[0], BOX)} />`
        : html`<path class="stroke" d=${linePath(values, BOX, highest)} />`}
    </svg>`;
}
