// Whether the figures are those of now, and why not.
import { Banner } from '../components/banner.js';
import { clock, instant } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

export function Status({ panel, silent }) {
  const state = silent ? 'offline' : !panel ? 'connecting' : !panel.enabled ? 'off' : panel.stale ? 'stale' : 'live';
  const words = { offline: 'offlineShort', off: 'offShort', stale: 'staleShort' };
  return html`
    <span class="status ${state}">
      <i></i>${t(words[state] ?? state)}
      ${state === 'live' && panel.generated_at_ms && html`<time>${clock(panel.generated_at_ms)}</time>`}
    </span>`;
}

export function Notices({ panel, silent, redisAway }) {
  const when = panel?.generated_at_ms && instant(panel.generated_at_ms);
  if (silent) return html`<${Banner} kind="bad">${when ? t('offline', { when }) : t('offlineFirst')}<//>`;
  if (!panel) return null;
  if (!panel.enabled) return html`<${Banner} kind="info">${t('statsOff')}<//>`;
  return html`
    ${panel.stale && html`<${Banner} kind="warn">${when ? t(redisAway ? 'redisAway' : 'workerAway', { when }) : t('staleUnknown')}<//>`}
    ${panel.dropped_events > 0 && html`<${Banner} kind="warn">${t('dropped', { n: panel.dropped_events })}<//>`}`;
}
