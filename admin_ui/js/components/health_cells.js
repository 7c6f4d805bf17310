import { html } from '../html.js';

const BOX = { slot: 5, height: 16, gap: 1 };
const FAIR = 0.01;
const BAD = 0.25;
const STATES = ['none', 'good', 'fair', 'bad'];

const stateOf = ({ requests, errors }) => (!requests ? 'none' : errors / requests >= BAD ? 'bad' : errors / requests >= FAIR ? 'fair' : 'good');

/** How a span went, part by part: {requests, errors} each. label: the same in words. */
export function HealthCells({ parts, label }) {
  const paths = Object.fromEntries(STATES.map((state) => [state, '']));
  parts.forEach((part, i) => {
    const state = stateOf(part);
    const [top, height] = state === 'none' ? [6, 4] : [0, BOX.height];
    paths[state] += `M${i * BOX.slot} ${top}h${BOX.slot - BOX.gap}v${height}h${BOX.gap - BOX.slot}z`;
  });
  return html`
    <svg class="health-cells" viewBox=${`0 0 ${parts.length * BOX.slot} ${BOX.height}`} preserveAspectRatio="none" role="img" aria-label=${label}>
      ${STATES.map((state) => paths[state] && html`<path key=${state} class=${state} d=${paths[state]} />`)}
    </svg>`;
}
