// The page for everybody: what has been served, and what went wrong. The span and the filter stand in its address.
import { render } from '../vendor/preact/preact.mjs';
import { useEffect, useRef, useState } from '../vendor/preact/hooks.mjs';
import { readPanel, redisAnswers } from './api.js';
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
const SPANS = ['1h', '24h', '7d', '30d'];
const FIRST_SPAN = '24h';
const WEB_PAGES = '/proxy'; // for browsers, not for clients

/** What was said last; of another span or endpoint until the right one has come, so that nothing flickers. */
function usePanel(span, endpoint) {
  const [panel, setPanel] = useState(null);
  const [silent, setSilent] = useState(false);
  const [redisAway, setRedisAway] = useState(false);
  const newest = useRef(0);
  const load = async () => {
    const mine = ++newest.current;
    try {
      const fresh = await readPanel(span, endpoint);
      const redisIsAway = fresh.stale && !(await redisAnswers());
      // an answer that was overtaken by a later question is of another span
      if (mine !== newest.current) return;
      setPanel(fresh);
      setRedisAway(redisIsAway);
      setSilent(false);
    } catch {
      if (mine === newest.current) setSilent(true);
    }
  };
  usePoll(load, panel?.enabled && !panel.total ? WAITING_POLL_MS : POLL_MS);
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) load();
    isFirst.current = false;
  }, [span, endpoint]);
  return { panel, silent, redisAway, load };
}

const widen = () => {
  changeQuery({ endpoint: '' });
  document.querySelector('.scope h1').focus(); // the button that had the focus goes
};

const Scope = ({ span, endpoint }) => html`
  <div class="scope">
    <h1 tabindex="-1">${t('dashboard')}</h1>
    ${endpoint && html`
      <button type="button" class="chip" title=${t('widenTo', { endpoint })} onClick=${widen}>
        ${t('endpoint')} <code>${endpoint}</code><${Icon} name="close" />
      </button>`}
    <div class="segments" role="group" aria-label=${t('span')}>
      ${SPANS.map((one) => html`
        <button key=${one} type="button" aria-pressed=${one === span} onClick=${() => changeQuery({ span: one === FIRST_SPAN ? '' : one })}>${t(one)}</button>`)}
    </div>
  </div>`;

function Figures({ panel, query, span, callable }) {
  const { window: shownSpan, endpoint, traffic } = panel;
  return html`
    <${Scope} span=${span} endpoint=${query.endpoint ?? ''} />
    <${Tiles} traffic=${traffic} inFlight=${panel.in_flight} span=${shownSpan} />
    <${Traffic} traffic=${traffic} endpoint=${endpoint} shown=${query.chart} />
    <${Endpoints} rows=${panel.endpoints} marks=${panel.segment_marks_ms} span=${shownSpan} query=${query} />
    <${Problems} problems=${panel.problems} endpoint=${query.endpoint ?? ''} />
    <details class="panel usage"><summary><h2>${t('usage')}</h2></summary><${Examples} endpoints=${callable} /></details>`;
}

function Page({ panel, query, span }) {
  const callable = panel.endpoints.filter(({ endpoint, state }) => state !== 'removed' && endpoint !== WEB_PAGES).map(({ endpoint }) => endpoint).sort();
  if (!panel.enabled) return html`<h1 class="unseen">${t('product')}</h1><section class="panel"><h2>${t('usage')}</h2><${Examples} endpoints=${callable} /></section>`;
  if (!panel.total) return html`<${FirstCall} endpoints=${callable} />`;
  return html`<${Figures} panel=${panel} query=${query} span=${span} callable=${callable} />`;
}

function Dashboard() {
  useLanguage();
  const { query } = useRoute();
  const span = SPANS.includes(query.span) ? query.span : FIRST_SPAN;
  const { panel, silent, redisAway, load } = usePanel(span, query.endpoint ?? '');
  document.title = t('product');
  const isOld = silent || panel?.stale || (panel && (panel.window !== span || (panel.endpoint ?? '') !== (query.endpoint ?? '')));
  return html`
    <${Topbar} page="dashboard">
      <${Status} panel=${panel} silent=${silent} />
      <button type="button" class="bare" aria-label=${t('refresh')} title=${t('refresh')} onClick=${load}><${Icon} name="refresh" /></button>
    <//>
    <main class=${isOld ? 'dimmed' : ''}>
      <${Notices} panel=${panel} silent=${silent} redisAway=${redisAway} />
      ${panel ? html`<${Page} panel=${panel} query=${query} span=${span} />` : !silent && html`<p class="soft empty">${t('loading')}</p>`}
    </main>
    <${Toasts} />`;
}

render(html`<${Dashboard} />`, document.getElementById('app'));
