// Numbers and instants as people read them, in the language of the page.
import { language, t } from './i18n.js';

export const NONE = '–';

const formatters = new Map();

/** One of Intl's; to make one takes longer than to use it a hundred times. */
function formatter(Kind, options) {
  const name = `${Kind.name} ${language()} ${JSON.stringify(options)}`;
  if (!formatters.has(name)) formatters.set(name, new Kind(language(), options));
  return formatters.get(name);
}

const number = (value, options) => formatter(Intl.NumberFormat, options).format(value);
const time = (ms, options) => formatter(Intl.DateTimeFormat, options).format(ms);

export const count = (n) => number(n);

/** A number as it was set, to the last digit. */
export const exact = (n) => number(n, { maximumFractionDigits: 6 });

const compact = (n) => number(n, { notation: 'compact', maximumFractionDigits: 1 });

export const shortCount = (n) => (n < 100_000 ? number(n) : compact(n));

export const tickCount = (n) => (n < 10_000 ? number(n) : compact(n));

export const decimal = (n, digits) => number(n, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** With its sign, also when it is positive. */
export const signed = (n, digits) => number(n, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'exceptZero' });

export const percent = (n) => `${decimal(n, n > 0 && n < 10 ? 2 : 1)} %`;

export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${decimal(ms / 1_000, ms < 10_000 ? 2 : 1)} s`;
  return `${decimal(ms / 60_000, 1)} min`;
}

function inUnits(n, words) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  for (; n >= 1_000 && unit < units.length - 1; unit++) n /= 1_000;
  return `${words(n, unit)} ${units[unit]}`;
}

export const bytes = (n) => inUnits(n, (amount, unit) => decimal(amount, unit === 0 || amount >= 100 ? 0 : 1));

/** Of round values, as axes have them. */
export const tickBytes = (n) => inUnits(n, (amount) => number(amount));

export function tickDuration(ms) {
  if (ms < 1_000) return `${number(ms)} ms`;
  return ms < 60_000 ? `${number(ms / 1_000)} s` : `${number(ms / 60_000)} min`;
}

// h23: in English a day of 24 hours would begin at 24:00 otherwise
export const clock = (ms) => time(ms, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export const day = (ms) => time(ms, { month: 'short', day: 'numeric' });

export const hour = (ms) => time(ms, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** To the second, with the day where it is not today. */
export const moment = (ms) => (new Date(ms).toDateString() === new Date().toDateString() ? clock(ms) : `${day(ms)} ${clock(ms)}`);

const dollars = (text, most) =>
  number(Number(text), { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol', minimumFractionDigits: 2, maximumFractionDigits: most });

/** Dollars that a decimal text says, to a millionth. */
export const usd = (text) => dollars(text, 6);

/** The same to the cent, and less than a dollar as exactly as it takes to be told from nothing. */
export const roundUsd = (text) => dollars(text, Number(text) >= 1 ? 2 : Number(text) >= 0.01 ? 4 : 9);

/** To the minute, with the year where it is another. */
export function instant(ms) {
  const thisYear = new Date(ms).getFullYear() === new Date().getFullYear();
  return `${thisYear ? day(ms) : time(ms, { dateStyle: 'medium' })} ${hour(ms)}`;
}

const twoDigits = (n) => String(n).padStart(2, '0');

/** What is left of a wait: 4:07, 2:04:07; from two days on in days. */
export function remaining(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h >= 48) return number(Math.round(h / 24), { style: 'unit', unit: 'day', unitDisplay: 'long' });
  return h ? `${h}:${twoDigits(m)}:${twoDigits(s)}` : `${m}:${twoDigits(s)}`;
}

const AGES = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];

export function ago(unixS) {
  if (!unixS) return t('never');
  const age = Math.max(0, Math.round(Date.now() / 1_000 - unixS));
  if (age < 5) return t('justNow');
  const [unit, size] = AGES.find(([, seconds]) => age >= seconds);
  return formatter(Intl.RelativeTimeFormat, { style: 'short' }).format(-Math.floor(age / size), unit);
}
