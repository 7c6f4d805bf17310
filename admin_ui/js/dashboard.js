import { render } from '../vendor/preact/preact.mjs';
import { useRef, useState } from '../vendor/preact/hooks.mjs';
import { readStats, redisAnswers } from './api.js';
import { Banner } from './components/banner.js';
import { barHeights, barsPath } from './components/bars.js';
import { Chart } from './components/chart.js';
import { CopyButton } from './components/copy.js';
import { Icon } from './components/icons.js';
import { Toasts } from './components/toasts.js';
import { Topbar } from './components/topbar.js';
import { Usage } from './components/usage.js';
import { NONE, ago, bytes, clock, count, decimal, duration, instant, percent, shortCount } from './format.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';
import { usePoll } from './poll.js';

const POLL_MS = 5_000;
const SPANS = ['24h', '7d', '30d', 'total'];
const MOST_ACTIVE = 8;
const SEARCH_FROM = 12;
const FAMILIAR = ['/openai', '/claude', '/gemini'];

// [up to here good, up to here fair, above bad]
const THRESHOLDS = {
  requests_per_sec: [10, 50],
  avg_response_time_ms: [5000, 20000],
  error_rate: [1, 5],
  memory_per_process_mb: [150, 300],
};

const EMPTY = { avg: null, p50: null, p95: null, p99: null };
const NO_CALLS = {
  requests: 0, errors: 0, request_bytes: 0, response_bytes: 0, duration_ms: EMPTY, first_byte_ms: EMPTY, series: null,
};

const errorShare = ({ requests, errors }) => (requests ? (errors / requests) * 100 : 0);

function grade(name, value) {
  const [good, fair] = THRESHOLDS[name];
  return value <= good ? 'good' : value <= fair ? 'fair' : 'bad';
}

function Status({ stats, silent }) {
  const state = silent ? 'offline' : !stats ? 'connecting' : !stats.enabled ? 'off' : stats.stale ? 'stale' : 'live';
  const words = { offline: 'offlineShort', off: 'offShort', stale: 'staleShort' };
  return html`
    <span class="status ${state}">
      <i></i>${t(words[state] ?? state)}
      ${state === 'live' && stats.generated_at_ms && html`<time>${clock(stats.generated_at_ms)}</time>`}
    </span>`;
}

function Notices({ stats, silent, redisAway }) {
  const when = stats?.generated_at_ms && `${instant(stats.generated_at_ms)}`;
  if (silent) return html`<${Banner} kind="bad">${when ? t('offline', { when }) : t('offlineFirst')}<//>`;
  if (!stats) return null;
  if (!stats.enabled) return html`<${Banner} kind="info">${t('statsOff')}<//>`;
  return html`
    ${stats.stale && html`<${Banner} kind="warn">${when ? t(redisAway ? 'redisAway' : 'workerAway', { when }) : t('staleUnknown')}<//>`}
    ${stats.dropped_events > 0 && html`<${Banner} kind="warn">${t('dropped', { n: stats.dropped_events })}<//>`}`;
}

const Tile = ({ label, value, note, mark }) => html`
  <div class="tile ${mark ?? ''}"><dt>${label}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;

function Performance({ stats }) {
  const { performance: now, total } = stats;
  const perProcess = now.memory_usage_mb / Math.max(now.processes, 1);
  const marks = {
    speed: grade('requests_per_sec', now.requests_per_sec),
    response: grade('avg_response_time_ms', now.avg_response_time_ms),
    errors: grade('error_rate', now.error_rate),
    memory: grade('memory_per_process_mb', perProcess),
  };
  const called = (mark) => (total ? t(mark) : t('idle'));
  return html`
    <dl class="tiles" aria-label=${t('performance')}>
      <${Tile} label=${t('perSecond')} value=${decimal(now.requests_per_sec, 2)} note=${called(marks.speed)} mark=${total && marks.speed} />
      <${Tile} label=${t('averageResponse')} value=${total ? duration(now.avg_response_time_ms) : NONE}
        note=${called(marks.response)} mark=${total && marks.response} />
      <${Tile} label=${t('errorRate')} value=${percent(now.error_rate)} note=${called(marks.errors)} mark=${total && marks.errors} />
      <${Tile} label=${t('memory')} value=${`${decimal(now.memory_usage_mb, 0)} MB`}
        note=${t('processes', { n: now.processes })} mark=${marks.memory} />
    </dl>`;
}

const Totals = ({ totals }) => html`
  <dl class="tiles" aria-label=${t('totals')}>
    ${SPANS.map((span) => {
      const { requests, errors } = totals[span];
      return html`
        <${Tile} label=${`${t('totals')} · ${t(span)}`} value=${shortCount(requests)}
          note=${errors ? t('errorsOf', { n: errors }) : t('noErrors')} />`;
    })}
  </dl>`;

const familiarFirst = (prefixes) => [...new Set([...FAMILIAR.filter((one) => prefixes.includes(one)), ...prefixes])];

const Welcome = ({ prefixes }) => html`
  <section class="panel welcome">
    <h2>${t('welcome')}</h2>
    <p class="soft">${prefixes.length ? t('welcomeText', { n: prefixes.length }) : t('noEndpoints')}</p>
    ${prefixes.length
      ? html`<ul class="addresses">${familiarFirst(prefixes).slice(0, MOST_ACTIVE).map((prefix) => html`<li><${Address} prefix=${prefix} full /></li>`)}</ul>`
      : html`<a class="button primary" href="/admin">${t('openAdmin')}</a>`}
  </section>`;

function Address({ prefix, full }) {
  const address = location.origin + prefix;
  return html`
    <${CopyButton} text=${address} label=${t('copyAddress', { address })}><code>${full ? address : prefix}</code><//>`;
}

const Figure = ({ label, value, mark }) => html`<div class=${mark ?? ''}><dt>${label}</dt><dd>${value}</dd></div>`;

function Traffic({ window, prefixes, span, shownSpan, setSpan, endpoint, setEndpoint }) {
  const figures = endpoint ? window.endpoints[endpoint] ?? NO_CALLS : window.all;
  const points = Math.max(1, Math.round((window.to_ms - window.from_ms) / (window.step_s * 1_000)));
  const none = Array(points).fill(0);
  const series = figures.series?.requests.length ? figures.series : { requests: none, errors: none };
  return html`
    <section class="panel traffic">
      <div class="panel-head">
        <h2>${t('traffic')} <small>${t(`in${shownSpan}`)}</small></h2>
        <div class="segments" role="group" aria-label=${t('span')}>
          ${SPANS.map((one) => html`
            <button type="button" aria-pressed=${one === span} onClick=${() => setSpan(one)}>${t(one)}</button>`)}
        </div>
        <select aria-label=${t('endpoint')} value=${endpoint} onChange=${(event) => setEndpoint(event.target.value)}>
          <option value="">${t('allEndpoints')}</option>
          ${prefixes.map((prefix) => html`<option key=${prefix} value=${prefix}>${prefix}</option>`)}
        </select>
      </div>
      <dl class="figures">
        <${Figure} label=${t('requests')} value=${count(figures.requests)} mark="with-requests" />
        <${Figure} label=${t('errors')} mark="with-errors"
          value=${figures.errors ? `${count(figures.errors)} · ${percent(errorShare(figures))}` : '0'} />
        <${Figure} label="p50" value=${duration(figures.duration_ms.p50)} />
        <${Figure} label="p95" value=${duration(figures.duration_ms.p95)} />
        <${Figure} label="p99" value=${duration(figures.duration_ms.p99)} />
        <${Figure} label=${t('firstByte')} value=${duration(figures.first_byte_ms.p50)} />
        <${Figure} label=${t('sent')} value=${`${bytes(figures.request_bytes)} / ${bytes(figures.response_bytes)}`} />
      </dl>
      <${Chart} fromMs=${window.from_ms} toMs=${window.to_ms} stepMs=${window.step_s * 1_000} series=${series}
        totals=${{ requests: figures.requests, errors: figures.errors }} />
    </section>`;
}

function Sparkline({ series }) {
  const highest = Math.max(...series.requests, 1);
  const box = { left: 0, top: 1, width: 200, height: 27 };
  const heights = barHeights(series.requests, series.errors, highest, box.height);
  return html`
    <svg class="spark" viewBox="0 0 200 28" preserveAspectRatio="none" aria-hidden="true">
      <path class="bar-requests" d=${barsPath(heights.requests, box)} />
      <path class="bar-errors" d=${barsPath(heights.errors, box)} />
    </svg>`;
}

function MostActive({ window, span, setEndpoint }) {
  const busiest = Object.entries(window.endpoints)
    .filter(([, figures]) => figures.requests > 0)
    .sort(([, a], [, b]) => b.requests - a.requests)
    .slice(0, MOST_ACTIVE);
  if (busiest.length === 0) return null;
  return html`
    <section aria-label=${t('mostActive')}>
      <h2 class="outside">${t('mostActive')} <small>${t(`in${span}`)}</small></h2>
      <div class="cards">
        ${busiest.map(([prefix, figures]) => html`
          <button type="button" class="card" key=${prefix} title=${t('showInChart', { endpoint: prefix })} onClick=${() => setEndpoint(prefix)}>
            <code>${prefix}</code>
            <b>${shortCount(figures.requests)}</b>
            <span class="soft">${t('ofCalls', { share: percent((figures.requests / window.all.requests) * 100) })}</span>
            <span class=${figures.errors ? 'bad' : 'soft'}>${figures.errors ? t('errorsOf', { n: figures.errors }) : t('noErrors')}</span>
            ${figures.series && html`<${Sparkline} series=${figures.series} />`}
          </button>`)}
      </div>
    </section>`;
}

function Endpoints({ stats, window, span }) {
  const [query, setQuery] = useState('');
  const rows = Object.entries(stats.endpoints)
    .filter(([prefix]) => prefix.toLowerCase().includes(query.trim().toLowerCase()))
    .map(([prefix, whole]) => ({ prefix, ...(window.endpoints[prefix] ?? NO_CALLS), lastUsed: whole.last_request }))
    .sort((a, b) => b.requests - a.requests || b.lastUsed - a.lastUsed);
  const searchable = Object.keys(stats.endpoints).length >= SEARCH_FROM;
  return html`
    <section class="panel endpoints">
      <div class="panel-head">
        <h2>${t('endpoints')} <small>${t(`in${span}`)}</small></h2>
        ${searchable && html`
          <input type="search" value=${query} placeholder=${t('findEndpoint')} aria-label=${t('findEndpoint')}
            onInput=${(event) => setQuery(event.target.value)} />`}
      </div>
      <table class="figures-table">
        <thead><tr>
          <th scope="col">${t('endpoint')}</th><th scope="col">${t('requests')}</th><th scope="col">${t('errors')}</th>
          <th scope="col">p50</th><th scope="col">p95</th><th scope="col">${t('lastUsed')}</th>
        </tr></thead>
        <tbody>
          ${rows.map((row) => html`
            <tr key=${row.prefix} class=${row.lastUsed ? '' : 'unused'}>
              <th scope="row"><${Address} prefix=${row.prefix} /></th>
              <td data-label=${t('requests')}>${count(row.requests)}</td>
              <td data-label=${t('errors')} class=${row.errors ? 'bad' : ''}>${count(row.errors)}</td>
              <td data-label="p50">${duration(row.duration_ms.p50)}</td>
              <td data-label="p95">${duration(row.duration_ms.p95)}</td>
              <td data-label=${t('lastUsed')}>${ago(row.lastUsed)}</td>
            </tr>`)}
        </tbody>
      </table>
      ${rows.length === 0 && html`
        <p class="soft empty">${query ? t('nothingFound', { query }) : t('noEndpoints')}</p>`}
    </section>`;
}

function Dashboard() {
  useLanguage();
  const [stats, setStats] = useState(null);
  const [silent, setSilent] = useState(false);
  const [redisAway, setRedisAway] = useState(false);
  const [span, setSpan] = useState('24h');
  const [endpoint, setEndpoint] = useState('');
  document.title = t('product');

  const load = async (asked = span) => {
    try {
      const fresh = await readStats(asked);
      const redisIsAway = fresh.stale && !(await redisAnswers());
      // windows that were read before stay, so that a look back shows something at once
      setStats((before) => ({ ...fresh, windows: { ...before?.windows, ...fresh.windows } }));
      setRedisAway(redisIsAway);
      setSilent(false);
    } catch {
      setSilent(true);
    }
  };
  usePoll(load, POLL_MS);
  const chooseSpan = (one) => {
    setSpan(one);
    load(one);
  };

  const showEndpoint = (prefix) => {
    setEndpoint(prefix);
    document.querySelector('.traffic').scrollIntoView({ block: 'nearest' });
  };
  const prefixes = stats ? Object.keys(stats.endpoints).sort() : [];
  const shown = prefixes.includes(endpoint) ? endpoint : '';
  const shownSpan = useRef(span);
  if (stats?.windows[span]) shownSpan.current = span; // until then the one before stays
  const window = stats?.enabled ? stats.windows[shownSpan.current] : { endpoints: {} };
  return html`
    <${Topbar} page="dashboard">
      <${Status} stats=${stats} silent=${silent} />
      <button type="button" class="bare" aria-label=${t('refresh')} title=${t('refresh')} onClick=${() => load()}><${Icon} name="refresh" /></button>
    <//>
    <main class=${silent || stats?.stale ? 'dimmed' : ''}>
      <h1 class="unseen">${t('product')}</h1>
      <${Notices} stats=${stats} silent=${silent} redisAway=${redisAway} />
      ${stats ? html`
        ${stats.enabled && html`
          <div class="strip"><${Performance} stats=${stats} /><${Totals} totals=${stats.totals} /></div>
          ${stats.total === 0 && html`<${Welcome} prefixes=${prefixes} />`}
          <${Traffic} window=${window} prefixes=${prefixes} span=${span} shownSpan=${shownSpan.current} setSpan=${chooseSpan}
            endpoint=${shown} setEndpoint=${setEndpoint} />
          <${MostActive} window=${window} span=${shownSpan.current} setEndpoint=${showEndpoint} />`}
        <div class="columns">
          <${Endpoints} stats=${stats} window=${window} span=${shownSpan.current} />
          <${Usage} prefixes=${prefixes} />
        </div>` : !silent && html`<p class="soft empty">${t('loading')}</p>`}
    </main>
    <${Toasts} />`;
}

render(html`<${Dashboard} />`, document.getElementById('app'));
