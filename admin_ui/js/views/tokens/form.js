// An access token as its form holds it, and back: all texts are as they were typed, for the server to judge.
import { changesBetween, linesIn, number, numberText, timeIn, timeText } from '../../typed.js';

export const ZONES = Intl.supportedValuesOf?.('timeZone') ?? [];
/** The zone of this browser. */
export const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const BUDGETS = ['day_usd', 'month_usd', 'total_usd'];

const NEW = {
  name: '', note: '', expires_at_ms: null, models: [], routes: { mode: 'all', channels: [], mappings: [] }, requests_per_minute: 0,
  max_concurrency: 0, web_pages: false, budgets: { day_usd: null, month_usd: null, total_usd: null },
  time_zone: ZONES.includes(HERE) ? HERE : 'UTC',
};

export function formOf(token) {
  const said = { ...NEW, ...token };
  return {
    ...Object.fromEntries(Object.keys(NEW).map((name) => [name, said[name]])),
    expires_at_ms: timeText(said.expires_at_ms),
    models: said.models.join('\n'),
    requests_per_minute: numberText(said.requests_per_minute),
    max_concurrency: numberText(said.max_concurrency),
    budgets: Object.fromEntries(BUDGETS.map((name) => [name, said.budgets[name] ?? ''])),
  };
}

/** What a form says. */
export const tokenOf = (form) => ({
  ...form,
  expires_at_ms: timeIn(form.expires_at_ms),
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
