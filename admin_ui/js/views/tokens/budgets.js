import { instant, roundUsd } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { BUDGETS } from './form.js';

const RESETS = { day_usd: 'day_at_ms', month_usd: 'month_at_ms' };
const NEARLY = 0.8;

function mark(share) {
  if (share >= 1) return 'bad';
  return share >= NEARLY ? 'fair' : 'good';
}

/** What is spent of one limit, as a bar; a limit of nothing is spent from the beginning. */
function Budget({ name, spent, limit, resetsAtMs }) {
  const share = Number(limit) > 0 ? Math.min(1, Number(spent) / Number(limit)) : 1;
  return html`
    <div class="budget ${mark(share)}">
      <span class="budget-line"><span class="soft">${t(`budget_${name}`)}</span>
        <span>${t('spentOf', { spent: roundUsd(spent), limit: roundUsd(limit) })}</span></span>
      <span class="budget-bar" style=${{ '--share': `${share * 100}%` }}></span>
      ${resetsAtMs && html`<span class="soft small-text"><time dateTime=${new Date(resetsAtMs).toISOString()}
        title=${new Date(resetsAtMs).toLocaleString()}>${t('resetsAt', { when: instant(resetsAtMs) })}</time></span>`}
    </div>`;
}

export function Budgets({ token: { budgets, spent, resets } }) {
  const limited = BUDGETS.filter((name) => budgets[name] !== null);
  const held = Number(spent.reserved_usd) > 0;
  return html`
    ${limited.map((name) => html`
      <${Budget} key=${name} name=${name} spent=${spent[name]} limit=${budgets[name]} resetsAtMs=${resets[RESETS[name]]} />`)}
    ${!limited.includes('total_usd') && (limited.length === 0 || Number(spent.total_usd) > 0) && html`
      <span class="small-text"><span class="soft">${t('spentInAll')}</span> ${roundUsd(spent.total_usd)}</span>`}
    ${held && html`<span class="soft small-text" title=${t('heldHint')}>${t('held', { amount: roundUsd(spent.reserved_usd) })}</span>`}`;
}
