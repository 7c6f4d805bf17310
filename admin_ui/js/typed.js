// What is typed into the fields of a form, and back: as it was typed wherever the server judges it.
import { ApiError } from './api.js';

/** 0 means “none” or “by itself”: an empty field. */
export const numberText = (value) => (value === 0 ? '' : String(value));

/** empty: what an empty field means. */
export const number = (text, empty) => {
  const said = String(text).trim();
  if (said === '') return empty;
  return Number.isFinite(Number(said)) ? Number(said) : said;
};

/** One a line, or with commas between them. */
export const linesIn = (text) => text.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);

const twoDigits = (n) => String(n).padStart(2, '0');

/** An instant as a field of type datetime-local holds it, in the zone of this browser; empty for none. */
export function timeText(ms) {
  if (ms === null || ms === undefined) return '';
  const at = new Date(ms);
  const date = [String(at.getFullYear()).padStart(4, '0'), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
  return `${date}T${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
}

export const timeIn = (text) => (text ? new Date(text).getTime() : null);

/** Raises what the server would say of a time that was begun to be typed: the field of that name then says that it is empty. */
export function checkTime(name) {
  if (document.getElementById(name).validity.badInput) throw new ApiError(400, { code: 'invalid', field: name });
}

/** What is said otherwise than it was: the rest is not sent, so that it does not undo what somebody else set meanwhile. */
export const changesBetween = (was, is) =>
  Object.fromEntries(Object.entries(is).filter(([name, said]) => JSON.stringify(said) !== JSON.stringify(was[name])));
