// Where a chart's axes have their marks, and what a bar's time is called.
import { day, hour, instant } from '../format.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TICK_STEPS_MS = [...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS), ...[1, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 5, 7, 14, 30, 90, 180, 365].map((days) => days * DAY_MS)];

const MOST_LINES = 4;
const DURATION_STEPS_MS = [10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600].map((seconds) => seconds * 1_000);

/** The smallest of 1, 2, 5 × 10^n that needs few lines. */
export function valueStep(highest, leastStep = 1) {
  const power = Math.max(10 ** Math.floor(Math.log10(Math.max(highest, Number.MIN_VALUE) / MOST_LINES)), leastStep);
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => highest / step <= MOST_LINES);
}

/** The same for ms: from ten seconds on whole minutes and what divides them. */
export function durationStep(highest) {
  const step = valueStep(highest);
  return step < DURATION_STEPS_MS[0] ? step : DURATION_STEPS_MS.find((one) => highest / one <= MOST_LINES) ?? step;
}

/** Local midnights, or local full hours and minutes, between from and to. */
export function timeTicks(fromMs, toMs, most) {
  const step = TICK_STEPS_MS.find((ms) => (toMs - fromMs) / ms <= most) ?? TICK_STEPS_MS.at(-1);
  const at = new Date(fromMs);
  at.setHours(0, 0, 0, 0);
  const ticks = [];
  for (; at <= toMs; step < DAY_MS ? at.setTime(+at + step) : at.setDate(at.getDate() + step / DAY_MS)) {
    if (at >= fromMs) ticks.push(+at);
  }
  return ticks;
}

const isMidnight = (ms) => new Date(ms).getHours() + new Date(ms).getMinutes() === 0;

export const tickText = (ms) => (isMidnight(ms) ? day(ms) : hour(ms));

/** What is from here to there: a day, several, or hours of one. */
export function spanText(fromMs, toMs) {
  if (isMidnight(fromMs) && toMs - fromMs >= DAY_MS - HOUR_MS) {
    const last = day(toMs - 1);
    return last === day(fromMs) ? last : `${day(fromMs)} – ${last}`;
  }
  return `${instant(fromMs)} – ${day(fromMs) === day(toMs) ? hour(toMs) : instant(toMs)}`;
}
