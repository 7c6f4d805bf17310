import { NONE, duration, moment } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { TaskBadge, TaskProgress } from './state.js';
import { isOpen, kindText } from './told.js';

function Whose({ id, channel }) {
  if (!id) return html`<span class="soft small-text">${t('noOneChannel')}</span>`;
  if (channel === null) return html`<span class="soft small-text">${t('channelGone', { id })}</span>`;
  return html`<a class="small-text" href="#/channels/${id}/keys">${channel ?? id}</a>`;
}

function Times({ task: { started_at_ms: started, ended_at_ms: ended } }) {
  if (!started) return html`<span class="soft">${NONE}</span>`;
  return html`
    <time dateTime=${new Date(started).toISOString()} title=${new Date(started).toLocaleString()}>${moment(started)}</time>
    <span class="soft small-text">${duration((ended ?? Math.max(started, Date.now())) - started)}</span>`;
}

/** What the upstreams of several channels told, each on a line of its own. */
const ModelLists = ({ channels }) => html`
  <details class="model-lists">
    <summary>${t('showAll')}</summary>
    <ul>${channels.map(({ channel_id: id, channel, models, error }) => html`
      <li key=${id}><b>${channel || id}</b> ${error === null ? html`<span title=${models.join('\n')}>${t('modelCount', { n: models.length })}</span>` : html`<span class="bad">${error}</span>`}</li>`)}
    </ul>
  </details>`;

/** channel: the name of the task's channel; null: it is there no more; undefined: not read yet. */
export const TaskRow = ({ task, channel, onCancel }) => html`
  <tr>
    <th scope="row" class="stacked"><b>${kindText(task.kind)}</b><${Whose} id=${task.channel_id} channel=${channel} /></th>
    <td data-label=${t('state')}><${TaskBadge} state=${task.state} /></td>
    <td class="task-progress" data-label=${t('progress')}>
      <${TaskProgress} task=${task} />
      ${task.result?.channels?.length > 0 && html`<${ModelLists} channels=${task.result.channels} />`}
    </td>
    <td class="stacked" data-label=${t('taskTimes')}><${Times} task=${task} /></td>
    <td class="task-actions">
      ${isOpen(task) && html`<button type="button" class="small" aria-label=${t('cancelTask', { kind: kindText(task.kind) })} onClick=${onCancel}>${t('cancel')}</button>`}
    </td>
  </tr>`;
