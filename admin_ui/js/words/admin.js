// All words of the admin pages; imported before the views, which ask for them when they are drawn.
import { addWords } from '../i18n.js';
import { API_WORDS } from './api_document.js';
import { AUDIT_WORDS } from './audit.js';
import { BACKUP_WORDS } from './backup.js';
import { CHANNEL_WORDS } from './channels.js';
import { CSV_WORDS } from './csv.js';
import { KEY_WORDS } from './keys.js';
import { LOG_WORDS } from './logs.js';
import { PLAYGROUND_WORDS } from './playground.js';
import { PRICE_WORDS } from './prices.js';
import { SETTING_WORDS } from './settings.js';
import { STATISTICS_WORDS } from './statistics.js';
import { TASK_WORDS } from './tasks.js';
import { TOKEN_WORDS } from './tokens.js';
import { WARNING_WORDS } from './warnings.js';

addWords({
  ...API_WORDS,
  ...AUDIT_WORDS,
  ...BACKUP_WORDS,
  ...CHANNEL_WORDS,
  ...CSV_WORDS,
  ...KEY_WORDS,
  ...LOG_WORDS,
  ...PLAYGROUND_WORDS,
  ...PRICE_WORDS,
  ...SETTING_WORDS,
  ...STATISTICS_WORDS,
  ...TASK_WORDS,
  ...TOKEN_WORDS,
  ...WARNING_WORDS,
});
