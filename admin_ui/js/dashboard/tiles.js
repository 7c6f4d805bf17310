// Four figures of the span, each with its course and its change. No word says whether that is good.
import { Sparkline } from '../components/sparkline.js';
import { NONE, duration, percent, shortCount, signed } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { errorShare, figuresOf, lineOf, pointsOf, sharesOf } from './figures.js';

const Tile = ({ label, span, value, change, values, kind, tint }) => html`
  <div class="tile">
    <dt>${label} <small>${span}</small></dt>
    <dd class="figure">${value}</dd>
    <dd class="course"><${Sparkline} values=${values} kind=${kind} tint=${tint} /></dd>
    <dd class="change">${change}</dd>
  </div>`;

/** How a figure stands to that of the span before: `told` words the difference; empty where there is no span before. */
function change(span, now, before, told) {
  if (before === undefined || span === 'total') return '';
  if (before === null || now === null) return t('noneBefore', { span: t(span) });
  return t('changeBefore', { change: told(now, before), span: t(span) });
}

const asShare = (now, before) => (now === before ? '±0 %' : `${signed((now / before - 1) * 100, Math.abs(now / before - 1) < 0.1 ? 1 : 0)} %`);
const asPoints = (now, before) => t('points', { difference: signed((now - before) * 100, 2) });

export function Tiles({ window, span, endpoint, inFlight }) {
  const figures = figuresOf(window, endpoint);
  const points = pointsOf(window);
  const [requests, errors] = ['requests', 'errors'].map((name) => lineOf(figures, name, points));
  const { before } = figures;
  const p95 = figures.duration_ms.p95;
  return html`
    <dl class="tiles" aria-label=${t('figures')}>
      <${Tile} label=${t('requests')} span=${t(`in${span}`)} value=${shortCount(figures.requests)} values=${requests}
        change=${change(span, figures.requests, before && (before.requests || null), asShare)} />
      <${Tile} label=${t('errorRate')} span=${t(`in${span}`)} value=${figures.requests ? percent(errorShare(figures) * 100) : NONE}
        values=${sharesOf(requests, errors)} tint="server" kind="line"
        change=${change(span, figures.requests ? errorShare(figures) : null, before && (before.requests ? errorShare(before) : null), asPoints)} />
      <${Tile} label="p95" span=${t(`in${span}`)} value=${duration(p95)} values=${lineOf(figures, 'p95', points, null)} kind="line" tint="second"
        change=${change(span, p95, before && before.duration_ms.p95, asShare)} />
      <${Tile} label=${t('inFlight')} span=${t('now')} value=${inFlight ? shortCount(inFlight.now) : NONE} values=${inFlight?.series ?? []} tint="first"
        change=${inFlight ? t('peaks', { peak: inFlight.peak, before: inFlight.peak_before }) : ''} />
    </dl>`;
}
