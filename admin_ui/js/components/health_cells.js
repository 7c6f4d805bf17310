// How a span went, part by part.
import { html } from '../html.js';
import { t } from '../i18n.js';

const BOX = { slot: 5, height: 16, gap: 1 };
const FAIR_SHARE = 0.01;
const FAILING_SHARE = 0.25;
/** How parts of each state are drawn, [top, height]: those where calls fail are lower, to be told apart without colours, too. */
const STATES = { none: [12, 3], good: [0, 16], fair: [4, 12], bad: [8, 8] };

/** 'none': nobody called; 'good': less than one error in a hundred calls; 'fair': less than one in four; 'bad': more. */
function stateOf({ requests, errors }) {
  if (!requests) return 'none';
  const share = errors / requests;
  return share < FAIR_SHARE ? 'good' : share < FAILING_SHARE ? 'fair' : 'bad';
}

/** parts: {requests, errors} each. spanOf: the span of one of them in words, by its place. */
export function HealthCells({ parts, spanOf }) {
  const states = parts.map(stateOf);
  const paths = Object.fromEntries(Object.keys(STATES).map((state) => [state, '']));
  states.forEach((state, i) => {
    const [top, height] = STATES[state];
    paths[state] += `M${i * BOX.slot} ${top}h${BOX.slot - BOX.gap}v${height}h${BOX.gap - BOX.slot}z`;
  });
  const tell = ({ currentTarget: cells, offsetX }) => {
    const i = Math.max(0, Math.min(Math.floor((offsetX / cells.clientWidth) * parts.length), parts.length - 1));
    const figures = { calls: t('requestsOf', { n: parts[i].requests }), errors: t('errorsOf', { n: parts[i].errors }) };
    cells.parentNode.title = t('partOf', { part: spanOf(i), ...figures });
  };
  const text = t('healthOf', { n: states.filter((state) => state !== 'none').length, good: states.filter((state) => state === 'good').length });
  return html`
    <svg class="health-cells" viewBox=${`0 0 ${parts.length * BOX.slot} ${BOX.height}`} preserveAspectRatio="none" role="img" aria-label=${text} onPointerMove=${tell}>
      ${Object.keys(STATES).map((state) => paths[state] && html`<path key=${state} class=${state} d=${paths[state]} />`)}
    </svg>`;
}
