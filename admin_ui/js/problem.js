import { knows, t } from './i18n.js';
import { sentenceText } from './sentences.js';

/** What an ApiError says to a person, by its code and the field to blame; the server's own words for a code that is new to us.
 * Of lists one text tells each entry: `urls[0].url` is told by that for `urls.url`, and {place} is 1.
 * noun: whose field it is, where one of that name means something else elsewhere. */
export function problemText({ status, code, field, message, retryAfterS }, noun = '') {
  if (status === 0) return t('noAnswer');
  const [, place] = field?.match(/\[(\d+)\]/) ?? [];
  const name = field?.replace(/\[\d+\]/g, '');
  const key = [`error_${code}_${noun}.${name}`, `error_${code}_${name}`, `error_${code}`].find(knows);
  const said = key ? t(key, { field, place: Number(place) + 1, message: message && sentenceText(message) }) : message || t('failed', { status });
  return retryAfterS ? t('retryIn', { said, n: Math.ceil(retryAfterS / 60) }) : said;
}
