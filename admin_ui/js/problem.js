import { t } from './i18n.js';

/** What an ApiError says to a person: the server's own words where it had some. */
export function problemText({ status, message, retryAfterS }) {
  if (status === 0) return t('noAnswer');
  const said = message || t('failed', { status });
  return retryAfterS ? `${said} ${t('retryIn', { n: Math.ceil(retryAfterS / 60) })}` : said;
}
