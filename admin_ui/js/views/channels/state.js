// What a channel or key is doing, in words.
import { Remaining } from '../../components/remaining.js';
import { ago } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';

export const DIALECTS = ['openai', 'responses', 'anthropic', 'gemini'];

export const outcomeText = (outcome) => (knows(`outcome_${outcome}`) ? t(`outcome_${outcome}`) : outcome);

const usable = ({ active, resting }) => active + resting;

/** disabled, resting, no_key or enabled: what counts most. */
export function stateOf({ enabled, resting_until_ms: until, keys }) {
  if (!enabled) return 'disabled';
  if (until > Date.now()) return 'resting';
  return usable(keys) > 0 ? 'enabled' : 'no_key';
}

const MARKS = { enabled: 'good', active: 'good', resting: 'fair', no_key: 'bad', blacklisted: 'bad', disabled: '' };

export const StateBadge = ({ state, untilMs }) => html`
  <span class="state ${MARKS[state]}">${t(`state_${state}`)}${state === 'resting' && untilMs && html` <${Remaining} untilMs=${untilMs} />`}</span>`;

/** Why something failed last; the whole text of the upstream is in its title. */
export const LastError = ({ error }) => html`
  <span class="reason" title=${error.text}>
    ${outcomeText(error.outcome)}${error.status ? ` · ${error.status}` : ''} · ${ago(error.at_ms / 1_000)}
  </span>`;
