// Keys as they are given, before they are sent: the server reads them.
import { ApiError } from '../../api.js';
import { checkSize } from '../../limits_of_files.js';
import { keysIn } from '../channels/form.js';

const COLUMN = /^["'\s]*(key|keys|key_value|api[_ ]?keys?|secret|(api ?)?密钥)["'\s]*$/i;

/** How many keys a text seems to hold: a list as JSON, a table with a heading, or anything with blanks or commas between. */
export function countIn(text) {
  const trimmed = text.trim();
  if (trimmed.startsWith('[')) return trimmed.split('"').length >> 1;
  const [heading] = trimmed.split('\n', 1);
  if (heading.split(',').some((cell) => COLUMN.test(cell))) return trimmed.split('\n').filter((line) => line.trim()).length - 1;
  return keysIn(trimmed).length;
}

/** What is sent of a text. Raises what the server would say of nothing, and of too much. */
export function typedFile(text) {
  if (!text.trim()) throw new ApiError(400, { code: 'invalid', field: 'text' });
  const file = new Blob([text]);
  checkSize(file);
  return file;
}

/** A file as it is held until it is sent: its content, read once, and how many keys that seem to be. Raises what the server would say of too much. */
export async function heldFile(file) {
  checkSize(file);
  const text = await file.text();
  return { name: file.name, content: new Blob([text]), count: countIn(text) };
}
