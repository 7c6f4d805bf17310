// What rows of the request log show, in the list as in a call's dialog.
import { NONE, duration } from '../../format.js';
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

/** The list with the filters as they are but for `changes`, and one call besides where `id` names one. */
export function logsAddress(changes, id = '') {
  const [, query = ''] = location.hash.split('?');
  const words = Object.entries({ ...Object.fromEntries(new URLSearchParams(query)), ...changes }).filter(([, word]) => word);
  return `#/logs${id && `/${id}`}${words.length ? `?${new URLSearchParams(words)}` : ''}`;
}

const Narrowing = ({ to, narrows, children }) =>
  narrows ? html`<a class="narrowing" href=${logsAddress(to)} title=${t('narrow')}>${children}</a>` : html`<span>${children}</span>`;

/** narrows: its name leads to the calls that went there alone. */
export function LedTo({ row: { channel, channel_id: id, mapping, key_hint: hint }, narrows }) {
  if (channel) {
    return html`
      <${Narrowing} to=${{ channel_id: id }} narrows=${narrows && id}><b>${channel}</b><//>
      ${hint && html`<code class="soft">${hint}</code>`}`;
  }
  if (!mapping) return html`<span class="soft">${t('nobodyAsked')}</span>`;
  return html`<${Narrowing} to=${{ mapping }} narrows=${narrows}>${mapping === WEB_PAGES ? t('webPagesHere') : html`<code>${mapping}</code>`}<//>`;
}

export const Caller = ({ row: { token, token_id: id, client } }) => html`
  ${token ? html`<${Narrowing} to=${{ token_id: id }} narrows=${id}>${token}<//>` : html`<span class="soft">${NONE}</span>`}
  <code class="soft">${client}</code>`;

export const Model = ({ row: { model, upstream_model: upstream } }) => html`
  ${model ? html`<code>${model}</code>` : html`<span class="soft">${NONE}</span>`}
  ${upstream && upstream !== model && html`<span class="soft small-text">${t('upstreamModel', { name: upstream })}</span>`}`;

export const Times = ({ row: { first_byte_ms: first, duration_ms: whole } }) =>
  html`<span>${first === null ? '' : `${duration(first)} / `}${duration(whole)}</span>`;
