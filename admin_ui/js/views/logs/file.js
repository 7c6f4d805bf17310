// The log as a file.
import { logsFile } from '../../api.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';

/** asked: what the API is asked for, so the file holds what the list shows. */
export const FileActions = ({ asked }) =>
  ['csv', 'ndjson'].map((format) => html`
    <a key=${format} class="button" href=${logsFile(asked, format)} download title=${t('exportLogs')}>${format.toUpperCase()}</a>`);
