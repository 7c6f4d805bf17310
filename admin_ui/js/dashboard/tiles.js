// Four figures of the span, each with its course and its change. No word says whether that is good.
import { Sparkline } from '../components/sparkline.js';
import { NONE, duration, percent, shortCount, signed } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { lineOf, requestsLine, sharesLine } from './figures.js';

const SMALL = 0.1; // changes below that are told to a tenth of a percent

const Tile = ({ label, span, value, change, values, kind, tint }) => html`
  <div class="tile">
    <dt>${label} <small>${span}</small></dt>
    <dd class="figure">${value}</dd>
    <dd class="course"><${Sparkline} values=${values} kind=${kind} tint=${tint} /></dd>
    <dd class="change">${change}</dd>
  </div>`;

const growth = (share) => `${signed(share * 100, Math.abs(share) < SMALL ? 1 : 0)} %`;
const difference = (share) => t('points', { difference: signed(share * 100, 2) });

export function Tiles({ traffic, inFlight, span }) {
  const { figures, change } = traffic;
  const [within, before] = [t(`in${span}`), t(`before${span}`)];
  const since = (value, told) => (value === null ? t('noneBefore', { before }) : t('changeBefore', { change: told(value), before }));
  return html`
    <dl class="tiles" aria-label=${t('figures')}>
      <${Tile} label=${t('requests')} span=${within} value=${shortCount(figures.requests)} values=${requestsLine(traffic)}
        change=${since(change.requests, growth)} />
      <${Tile} label=${t('errorRate')} span=${within} value=${figures.error_share === null ? NONE : percent(figures.error_share * 100)}
        values=${sharesLine(traffic)} kind="line" tint="server" change=${since(change.error_share, difference)} />
      <${Tile} label="p95" span=${within} value=${duration(figures.duration_ms.p95)} values=${lineOf(traffic, 'p95_ms', null)} kind="line" tint="second"
        change=${since(change.p95_ms, growth)} />
      <${Tile} label=${t('inFlight')} span=${t('now')} value=${shortCount(inFlight.now)} values=${inFlight.points} tint="first"
        change=${t('peaks', { peak: Math.max(inFlight.highest, inFlight.now), peakBefore: inFlight.highest_before, before })} />
    </dl>`;
}
