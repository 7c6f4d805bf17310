// What the page is asked for, as it stands in the address.
import { timeIn } from '../../typed.js';

export const RANGES = ['24h', '7d', '30d', 'today', 'yesterday', 'this_week', 'last_week', 'this_month', 'last_month'];
const SINGLE = ['channel', 'model', 'token', 'mapping', 'dialect'];
const PAIRS = ['channel,key', 'channel,model', 'token,model', 'token,channel'];
export const DIALECTS = ['openai', 'responses', 'anthropic', 'gemini'];
export const FILTERS = ['channel_id', 'key_id', 'token_id', 'model', 'mapping', 'dialect'];
const OWN = /^(\d{1,15})-(\d{1,15})$/;
const HOUR_MS = 3_600_000;
const HOURLY_MS = 8 * 24 * HOUR_MS;

/** How the rows may be told apart. */
export const WAYS = [...SINGLE, ...PAIRS];

/** Begin and end of a span of one's own, or null for one that has a name. */
export function boundsOf(range) {
  const [, from, to] = OWN.exec(range) ?? [];
  return from === undefined ? null : [Number(from), Number(to)];
}

const isSpan = (range) => RANGES.includes(range) || (OWN.test(range) && boundsOf(range)[0] < boundsOf(range)[1]);

/** range, by (a list), filters, and tz of a query; what makes no sense there is as if it was not said. */
export function askedIn(query) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? '']));
  const by = WAYS.includes(query.by) ? query.by : 'channel';
  return { range: isSpan(query.range) ? query.range : '24h', by: by.split(','), filters, tz: query.tz ?? '' };
}

/** What the API is asked, for rows and for series. */
export const toAsk = ({ range, by, filters, tz }) => ({ range, by: by.join(','), ...filters, tz });

/** The hours of up to eight days, else days. */
export function bucketOf(range) {
  const bounds = boundsOf(range);
  if (bounds) return bounds[1] - bounds[0] <= HOURLY_MS ? 'hour' : 'day';
  return range === '30d' || range.endsWith('month') ? 'day' : 'hour';
}

/** A span of two fields of type datetime-local; empty where they make none. */
export function spanOf(from, to) {
  const [fromMs, toMs] = [timeIn(from), timeIn(to)];
  return fromMs !== null && toMs !== null && fromMs < toMs ? `${fromMs}-${toMs}` : '';
}

/** The names of a row, by what it is told apart. null: nothing, such as no token. */
export const NAMES = {
  channel: (row) => row.channel ?? row.channel_id,
  model: (row) => row.model,
  token: (row) => row.token ?? row.token_id,
  mapping: (row) => row.mapping,
  key: (row) => row.key_hint ?? row.key_id,
  dialect: (row) => row.dialect,
};
/** What of a row the list can be narrowed to. */
export const IDS = { channel: 'channel_id', model: 'model', token: 'token_id', mapping: 'mapping', key: 'key_id', dialect: 'dialect' };

export const keyOf = (row, by) => JSON.stringify(by.map((way) => row[IDS[way]]));
