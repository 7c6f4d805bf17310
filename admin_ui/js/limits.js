// Limits in words. A setting that these pages do not know yet goes by the server's own name and meaning.
import { bytes, exact } from './format.js';
import { knows, t } from './i18n.js';

const said = (key, otherwise) => (knows(key) ? t(key) : otherwise);

// Related ones stand together; the server's answer is sorted by name.
const ORDER = ['connect_timeout', 'first_byte_timeout', 'idle_timeout', 'total_timeout', 'max_body_bytes', 'max_concurrency', 'queue_timeout',
  'requests_per_second', 'burst', 'global_requests_per_second', 'global_burst', 'web_first_byte_timeout', 'web_idle_timeout'];
const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

/** [name, setting] of each limit, as they are read. */
export const inOrder = (settings) => Object.entries(settings).sort(([a], [b]) => place(a) - place(b));

export const limitName = (name) => said(`name_${name}`, name);
export const limitMeaning = (name, setting) => said(`meaning_${name}`, setting.meaning);
export const limitUnit = ({ unit }) => said(`unit_${unit}`, unit);

const zero = (name) => said(`zero_${name}`, t('unlimited'));

/** A value as it is read. No limit has a meaning at 0 except “none”. */
export function limitText(name, setting, value) {
  if (value === 0) return zero(name);
  return setting.unit === 'bytes' ? bytes(value) : `${exact(value)} ${limitUnit(setting)}`;
}

/** A value as it stands in its field: empty where there is none. */
export const fieldText = (value) => (value === undefined ? '' : String(value));

/** The same in an empty field, for what holds instead. */
export const fieldHint = (name, value) => (value === 0 ? zero(name) : String(value));

/** What a field says, for the server to judge; null for an empty one. */
export function fieldValue(text) {
  const number = Number(text);
  return text.trim() === '' ? null : Number.isFinite(number) ? number : text.trim();
}

/** True when the server's objection is to this setting: its words begin with the name. */
export const concerns = (error, name) => error.startsWith(`${name} `);
