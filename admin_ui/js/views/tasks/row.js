import { useState } from '../../../vendor/preact/hooks.mjs';
import { readTask } from '../../api.js';
import { toast } from '../../components/toasts.js';
import { NONE, duration, moment } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
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

const ModelList = ({ told: { channel_id: id, channel, models, error } }) => html`
  <li><b>${channel || id}</b> ${error === null
    ? html`<span title=${models.join('\n')}>${t('modelCount', { n: models.length })}</span>`
    : html`<span class="bad">${error}</span>`}
  </li>`;

/** What the upstreams of several channels told. A long result does not come with the list of tasks, so it is read once somebody wants it. */
function ModelLists({ task }) {
  const [lists, setLists] = useState(task.result?.channels ?? null);
  const open = (event) => {
    if (!event.currentTarget.open || lists) return;
    readTask(task.id).then(({ result }) => setLists(result?.channels ?? []), (error) => toast(problemText(error), 'bad'));
  };
  return html`
    <details class="model-lists" onToggle=${open}>
      <summary>${t('showAll')}</summary>
      ${lists ? html`<ul>${lists.map((told) => html`<${ModelList} key=${told.channel_id} told=${told} />`)}</ul>` : html`<p class="soft">${t('loading')}</p>`}
    </details>`;
}

const hasLists = ({ kind, state }) => kind === 'fetch_models' && (state === 'done' || state === 'cancelled');

/** channel: the name of the task's channel; null: it is there no more; undefined: not read yet. */
export const TaskRow = ({ task, channel, onCancel }) => html`
  <tr>
    <th scope="row" class="stacked"><b>${kindText(task.kind)}</b><${Whose} id=${task.channel_id} channel=${channel} /></th>
    <td data-label=${t('state')}><${TaskBadge} state=${task.state} /></td>
    <td class="task-progress" data-label=${t('progress')}>
      <${TaskProgress} task=${task} />
      ${hasLists(task) && html`<${ModelLists} task=${task} />`}
    </td>
    <td class="stacked" data-label=${t('taskTimes')}><${Times} task=${task} /></td>
    <td class="task-actions">
      ${isOpen(task) && html`<button type="button" class="small" aria-label=${t('cancelTask', { kind: kindText(task.kind) })} onClick=${onCancel}>${t('cancel')}</button>`}
    </td>
  </tr>`;
