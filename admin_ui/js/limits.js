// Settings in words. A setting that these pages do not know yet goes by the server's own name and meaning.
import { bytes, exact } from './format.js';
import { knows, t } from './i18n.js';
import { problemText } from './problem.js';

const said = (key, otherwise, values) => (knows(key) ? t(key, values) : otherwise);

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
