// An access token as its form holds it, and back: all texts are as they were typed, for the server to judge.
import { ApiError } from '../../api.js';
import { changesBetween, linesIn, number, numberText } from '../../typed.js';

export const BUDGETS = ['day_usd', 'month_usd', 'total_usd'];

const NEW = {
  name: '', note: '', expires_at_ms: null, models: [], routes: { mode: 'all', channels: [], mappings: [] }, requests_per_minute: 0,
  max_concurrency: 0, web_pages: false, budgets: { day_usd: null, month_usd: null, total_usd: null }, time_zone: 'UTC',
};

const twoDigits = (n) => String(n).padStart(2, '0');

/** An instant as its field holds it, in the zone of this browser. */
function fieldTime(ms) {
  if (!ms) return '';
  const at = new Date(ms);
  const date = [String(at.getFullYear()).padStart(4, '0'), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
  return `${date}T${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
}

export function formOf(token) {
  const said = { ...NEW, ...token };
  return {
    ...Object.fromEntries(Object.keys(NEW).map((name) => [name, said[name]])),
    expires_at_ms: fieldTime(said.expires_at_ms),
    models: said.models.join('\n'),
    requests_per_minute: numberText(said.requests_per_minute),
    max_concurrency: numberText(said.max_concurrency),
    budgets: Object.fromEntries(BUDGETS.map((name) => [name, said.budgets[name] ?? ''])),
  };
}

/** What a form says. */
export const tokenOf = (form) => ({
  ...form,
  expires_at_ms: form.expires_at_ms ? new Date(form.expires_at_ms).getTime() : null,
  models: linesIn(form.models),
  requests_per_minute: number(form.requests_per_minute, 0),
  max_concurrency: number(form.max_concurrency, 0),
  budgets: Object.fromEntries(BUDGETS.map((name) => [name, form.budgets[name].trim() || null])),
  time_zone: form.time_zone.trim() || 'UTC',
});

/** What a form changes; of routes and budgets, too, only what was touched. */
export function changesOf(before, form) {
  const [was, is] = [tokenOf(before), tokenOf(form)];
  const changes = changesBetween(was, is);
  for (const name of ['routes', 'budgets']) if (name in changes) changes[name] = changesBetween(was[name], is[name]);
  return changes;
}

/** Raises what the server would say of a time that was begun to be typed: its field then says that it is empty. */
export function checkTyped(field) {
  if (field.validity.badInput) throw new ApiError(400, { code: 'invalid', field: field.name });
}
