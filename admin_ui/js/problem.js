import { knows, t } from './i18n.js';

/** What an ApiError says to a person, by its code and the field to blame; the server's own words for a code that is new to us. */
export function problemText({ status, code, field, message, retryAfterS }) {
  if (status === 0) return t('noAnswer');
  const key = [`error_${code}_${field}`, `error_${code}`].find(knows);
  const said = key ? t(key, { field }) : message || t('failed', { status });
  return retryAfterS ? `${said} ${t('retryIn', { n: Math.ceil(retryAfterS / 60) })}` : said;
}
