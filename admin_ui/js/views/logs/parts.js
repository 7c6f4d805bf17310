// What rows of the request log show, in the list as in a call's dialog.
import { NONE, duration, exact, usd } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { outcomeText } from '../channels/state.js';

const GOOD = ['ok', 'answered_here'];
const NEUTRAL = ['client_gone', 'refused', 'ended', 'interrupted'];
const FAIR = ['bad_request', 'too_long', 'content_filtered', 'try_again'];
const markOf = (outcome) => (GOOD.includes(outcome) ? 'good' : NEUTRAL.includes(outcome) ? '' : FAIR.includes(outcome) ? 'fair' : 'bad');

export const Outcome = ({ row: { outcome, status, reason } }) => html`
  <span class="state ${markOf(outcome)}">${outcomeText(outcome)}${status !== null && outcome !== 'ok' ? ` · ${status}` : ''}</span>
  ${reason && html`<span class="reason-text soft" title=${reason}>${reason}</span>`}`;

const WEB_PAGES = '/proxy';

export function LedTo({ row: { channel, mapping, key_hint: hint } }) {
  if (channel) return html`<b>${channel}</b>${hint && html`<code class="soft">${hint}</code>`}`;
  if (mapping) return html`<span>${mapping === WEB_PAGES ? t('webPagesHere') : html`<code>${mapping}</code>`}</span>`;
  return html`<span class="soft">${t('nobodyAsked')}</span>`;
}

export const Model = ({ row: { model, upstream_model: upstream } }) => html`
  ${model ? html`<code>${model}</code>` : html`<span class="soft">${NONE}</span>`}
  ${upstream && upstream !== model && html`<span class="soft small-text">${t('upstreamModel', { name: upstream })}</span>`}`;

export const Times = ({ row: { first_byte_ms: first, duration_ms: whole } }) =>
  html`<span>${first === null ? '' : `${duration(first)} / `}${duration(whole)}</span>`;

const sum = (...parts) => parts.reduce((all, part) => all + (part ?? 0), 0);

export function Tokens({ usage }) {
  if (usage.source === 'absent') return html`<span class="soft">${NONE}</span>`;
  const put = sum(usage.input, usage.cached, usage.cache_write_5m, usage.cache_write_1h);
  return html`
    <span>${exact(put)} / ${exact(sum(usage.output, usage.reasoning))}</span>
    ${usage.source === 'estimated' && html`<span class="soft small-text">${t('usage_estimated')}</span>`}`;
}

export function Cost({ row: { cost_usd: cost, unpriced } }) {
  if (cost !== null) return html`<span>${usd(cost)}</span>`;
  return html`<span class="soft">${unpriced ? t('unpriced') : NONE}</span>`;
}
