// What a call used and cost.
import { NONE, exact, usd } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

const sum = (...parts) => parts.reduce((all, part) => all + (part ?? 0), 0);

/** Tokens that went in and came out. */
export function Tokens({ usage }) {
  if (usage.source === 'absent') return html`<span class="soft">${NONE}</span>`;
  const put = sum(usage.input, usage.cached, usage.cache_write_5m, usage.cache_write_1h);
  return html`
    <span>${exact(put)} / ${exact(sum(usage.output, usage.reasoning))}</span>
    ${usage.source === 'estimated' && html`<span class="soft small-text">${t('usage_estimated')}</span>`}`;
}

/** cost: a decimal text, or null where it has none. */
export function Cost({ cost, unpriced }) {
  if (cost !== null) return html`<span>${usd(cost)}</span>`;
  return html`<span class="soft">${unpriced ? t('unpriced') : NONE}</span>`;
}
