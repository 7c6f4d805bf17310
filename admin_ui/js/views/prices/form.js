// A price of the operator's as its form holds it, and back; and the list of them, which is stored as a whole.
import { ApiError, putPrices, readPrices } from '../../api.js';
import { changesBetween, number, timeIn, timeText } from '../../typed.js';

/** The parts of a call, in dollars a million tokens. */
export const PARTS = ['input', 'output', 'cached', 'cache_write_5m', 'cache_write_1h'];
const ABOVE = ['input_above', 'output_above'];

/** An amount without the zeros that say nothing. */
const plain = (text) => (text?.includes('.') ? text.replace(/\.?0+$/, '') : text ?? '');

/** said: an override, or a price of the table to begin with. */
export const formOf = (said) => ({
  model: said.model,
  ...Object.fromEntries([...PARTS, ...ABOVE].map((name) => [name, plain(said[name])])),
  above_tokens: said.above_tokens ? String(said.above_tokens) : '',
  valid_from_ms: timeText(said.valid_from_ms),
});

export const priceOf = (form) => ({
  model: form.model.trim(),
  ...Object.fromEntries([...PARTS, ...ABOVE].map((name) => [name, form[name].trim() || null])),
  above_tokens: number(form.above_tokens, null),
  valid_from_ms: timeIn(form.valid_from_ms),
});

/** What a form makes of a price: what was not touched stays as it was written, to the last zero and second. */
export const changed = (price, form) => ({ ...price, ...changesBetween(priceOf(formOf(price)), priceOf(form)) });

const isSame = (one, other) => Object.keys(one).every((name) => one[name] === other[name]);

/**
 * Stores the list with `after` in the place of `before`: null adds, or takes away. The list is read anew for it, so that what
 * others said meanwhile stays. What the server objects to in `after` has the field's own name.
 */
export async function replacePrice(before, after) {
  const { overrides } = await readPrices();
  const place = before ? overrides.findIndex((other) => isSame(before, other)) : overrides.length;
  if (place < 0) throw new ApiError(404, { code: 'not_found' });
  try {
    return await putPrices([...overrides.slice(0, place), ...(after ? [after] : []), ...overrides.slice(place + 1)]);
  } catch (error) {
    error.field = error.field?.replace(`overrides[${place}].`, '');
    throw error;
  }
}
