// The page for everybody: what has been served, and what went wrong. The span and the filter stand in its address.
import { render } from '../vendor/preact/preact.mjs';
import { useEffect, useRef, useState } from '../vendor/preact/hooks.mjs';
import { readStats, redisAnswers } from './api.js';
import { Icon } from './components/icons.js';
import { Toasts } from './components/toasts.js';
import { Topbar } from './components/topbar.js';
import { Endpoints } from './dashboard/endpoints.js';
import { Examples } from './dashboard/examples.js';
import { FirstCall } from './dashboard/first_call.js';
import { Notices, Status } from './dashboard/notices.js';
import { Problems } from './dashboard/problems.js';
import { Tiles } from './dashboard/tiles.js';
import { Traffic } from './dashboard/traffic.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';
import { usePoll } from './poll.js';
import { changeQuery, useRoute } from './route.js';
import './words/dashboard.js';

const POLL_MS = 5_000;
const WAITING_POLL_MS = 1_000; // for the first call, whose caller looks on
const SPANS = ['24h', '7d', '30d', 'total'];

/** What /stats said last. Windows that were read before stay, so that a look back shows something at once. */
function useStats(span) {
  const [stats, setStats] = useState(null);
  const [silent, setSilent] = useState(false);
  const [redisAway, setRedisAway] = useState(false);
  const load = async (asked = span) => {
    try {
      const fresh = await readStats(asked);
      const redisIsAway = fresh.stale && !(await redisAnswers());
      setStats((before) => ({ ...fresh, windows: { ...before?.windows, ...fresh.windows } }));
      setRedisAway(redisIsAway);
      setSilent(false);
    } catch {
      setSilent(true);
    }
  };
  usePoll(load, stats?.enabled && !stats.total ? WAITING_POLL_MS : POLL_MS);
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) load(span);
    isFirst.current = false;
  }, [span]);
  return { stats, silent, redisAway, load };
}

function Scope({ span, endpoint }) {
  return html`
    <div class="scope">
      <h1>${t('dashboard')}</h1>
      ${endpoint && html`
        <button type="button" class="chip" aria-label=${t('widenTo', { endpoint })} title=${t('widenTo', { endpoint })} onClick=${() => changeQuery({ endpoint: '' })}>
          ${t('endpoint')} <code>${endpoint}</code><${Icon} name="close" />
        </button>`}
      <div class="segments" role="group" aria-label=${t('span')}>
        ${SPANS.map((one) => html`
          <button key=${one} type="button" aria-pressed=${one === span} onClick=${() => changeQuery({ span: one === SPANS[0] ? '' : one })}>${t(one)}</button>`)}
      </div>
    </div>`;
}

function Figures({ stats, query, span }) {
  const shownSpan = useRef(span);
  if (stats.windows[span]) shownSpan.current = span; // until then the one before stays
  const window = stats.windows[shownSpan.current];
  const endpoint = query.endpoint ?? '';
  const dimmed = shownSpan.current === span ? '' : 'dimmed';
  const shared = { window, endpoint, span: shownSpan.current, dimmed };
  return html`
    <${Scope} span=${span} endpoint=${endpoint} />
    <${Tiles} ...${shared} inFlight=${stats.in_flight} />
    <${Traffic} ...${shared} shown=${query.chart} />
    <${Endpoints} ...${shared} stats=${stats} query=${query} />
    <${Problems} problems=${stats.problems ?? []} endpoint=${endpoint} />
    ${Object.keys(stats.endpoints).length > 0 && html`
      <details class="panel usage"><summary><h2>${t('usage')}</h2></summary><${Examples} endpoints=${Object.keys(stats.endpoints)} /></details>`}`;
}

function Dashboard() {
  useLanguage();
  const { query } = useRoute();
  const span = SPANS.includes(query.span) ? query.span : SPANS[0];
  const { stats, silent, redisAway, load } = useStats(span);
  document.title = t('product');
  const isWaiting = stats?.enabled && !stats.total;
  return html`
    <${Topbar} page="dashboard">
      <${Status} stats=${stats} silent=${silent} />
      <button type="button" class="bare" aria-label=${t('refresh')} title=${t('refresh')} onClick=${() => load()}><${Icon} name="refresh" /></button>
    <//>
    <main class=${silent || stats?.stale ? 'dimmed' : ''}>
      <${Notices} stats=${stats} silent=${silent} redisAway=${redisAway} />
      ${!stats ? !silent && html`<p class="soft empty">${t('loading')}</p>`
        : isWaiting ? html`<${FirstCall} endpoints=${Object.keys(stats.endpoints)} />`
        : stats.enabled ? html`<${Figures} stats=${stats} query=${query} span=${span} />`
        : html`<h1 class="unseen">${t('product')}</h1><section class="panel"><${Examples} endpoints=${Object.keys(stats.endpoints)} /></section>`}
    </main>
    <${Toasts} />`;
}

render(html`<${Dashboard} />`, document.getElementById('app'));
