// Whether the figures are those of now, and why not.
import { Banner } from '../components/banner.js';
import { clock, instant } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

export function Status({ stats, silent }) {
  const state = silent ? 'offline' : !stats ? 'connecting' : !stats.enabled ? 'off' : stats.stale ? 'stale' : 'live';
  const words = { offline: 'offlineShort', off: 'offShort', stale: 'staleShort' };
  return html`
    <span class="status ${state}">
      <i></i>${t(words[state] ?? state)}
      ${state === 'live' && stats.generated_at_ms && html`<time>${clock(stats.generated_at_ms)}</time>`}
    </span>`;
}

export function Notices({ stats, silent, redisAway }) {
  const when = stats?.generated_at_ms && instant(stats.generated_at_ms);
  if (silent) return html`<${Banner} kind="bad">${when ? t('offline', { when }) : t('offlineFirst')}<//>`;
  if (!stats) return null;
  if (!stats.enabled) return html`<${Banner} kind="info">${t('statsOff')}<//>`;
  return html`
    ${stats.stale && html`<${Banner} kind="warn">${when ? t(redisAway ? 'redisAway' : 'workerAway', { when }) : t('staleUnknown')}<//>`}
    ${stats.dropped_events > 0 && html`<${Banner} kind="warn">${t('dropped', { n: stats.dropped_events })}<//>`}`;
}
