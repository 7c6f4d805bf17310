import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';

/** Why something was not done; with the way to the task that is in its way, where one is. */
export const Refusal = ({ error, channelId }) => html`
  ${problemText(error, 'keys')}${error.code === 'task_running' && html` <a href="#/tasks?channel_id=${channelId}">${t('showTask')}</a>`}`;
