// Limits in words. A setting that these pages do not know yet goes by the server's own name and meaning.
import { bytes, exact } from './format.js';
import { knows, t } from './i18n.js';
import { problemText } from './problem.js';

const said = (key, otherwise, values) => (knows(key) ? t(key, values) : otherwise);

// Related ones stand together; the server's answer is sorted by name.
const ORDER = ['connect_timeout', 'first_byte_timeout', 'idle_timeout', 'total_timeout', 'max_body_bytes', 'max_concurrency', 'queue_timeout',
  'requests_per_second', 'burst', 'global_requests_per_second', 'global_burst', 'web_first_byte_timeout', 'web_idle_timeout', 'max_attempts', 'max_keys_per_channel',
  'first_useful_timeout', 'hold_max_bytes', 'replay_max_bytes', 'keepalive_comment_s', 'keepalive_before_commit', 'model_strip_date', 'model_contains', 'affinity',
  'affinity_ttl_s', 'affinity_ids_ttl_s', 'cooldown_auth_s', 'cooldown_server_s', 'cooldown_timeout_s',
  'cooldown_rate_limit_s', 'cooldown_min_s', 'cooldown_max_s', 'blacklist_threshold', 'empty_is_error',
  'revalidate_interval_s', 'check_interval_s', 'validate_concurrency', 'validate_timeout_s',
  'resting_fallback', 'time_zone', 'health_penalty', 'health_penalty_weight', 'health_window_s', 'health_min_samples', 'slow_penalty_weight',
  'route_headers', 'log_requests', 'meter_mappings', 'openai_include_usage', 'anonymous_channels', 'budget_default_output_tokens', 'budget_unpriced',
  'budget_local_usd', 'budget_cut_streams', 'global_max_concurrency', 'budget_when_redis_away', 'public_cost',
  'proxy_url', 'require_token'];
const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

/** [name, setting] of each limit, as they are read. */
export const inOrder = (settings) => Object.entries(settings).sort(([a], [b]) => place(a) - place(b));

export const limitName = (name) => said(`name_${name}`, name);
export const limitMeaning = (name, setting) => said(`meaning_${name}`, setting.meaning);
/** The unit of a limit, as it stands beside `n`; without `n`, beside any number. */
export const limitUnit = ({ unit }, n) => said(`unit_${unit}`, unit, { n });

export const isText = ({ kind }) => kind === 'text';
/** What may be chosen, as text; nothing where a value is typed. */
export const choicesOf = ({ kind, choices }) => (kind === 'bool' ? ['true', 'false'] : choices);
export const choiceText = (choice) => said(`choice_${choice}`, choice);

const zero = (name) => said(`zero_${name}`, t('unlimited'));

/** A value as it is read. No limit has a meaning at 0 except “none”. */
export function limitText(name, setting, value) {
  if (choicesOf(setting)) return choiceText(String(value));
  if (value === 0) return zero(name);
  if (isText(setting)) return value;
  return setting.unit === 'bytes' ? bytes(value) : `${exact(value)} ${limitUnit(setting, value)}`;
}

/** A value as it stands in its field: empty where there is none. */
export const fieldText = (value) => (value === undefined ? '' : String(value));

/** The same in an empty field: what holds instead, or for a text how one reads. */
export const fieldHint = (name, setting, value) => (isText(setting) ? setting.example : value === 0 ? zero(name) : String(value));

/** What a field says, for the server to judge; null for an empty one. */
export function fieldValue(text, setting) {
  const number = Number(text);
  return text.trim() === '' ? null : Number.isFinite(number) && !isText(setting) ? number : text.trim();
}

/** What the server objects to in a limit, in words; empty when its error (or null) is about something else. */
export function objection(error, field, { whole, minimum, maximum, unit }) {
  if (error?.field !== field) return '';
  if (error.code !== 'invalid' || minimum === undefined) return problemText(error);
  const range = { minimum: exact(minimum), maximum: exact(maximum), unit: limitUnit({ unit }) };
  return t(whole ? 'wholeFrom' : 'numberFrom', range);
}
