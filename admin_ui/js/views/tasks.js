// What the gateway does at length: #/tasks lists it, #/tasks?channel_id=7 that of one channel.
import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { doing } from '../action.js';
import { cancelTask, readChannels, readTasks } from '../api.js';
import { Banner } from '../components/banner.js';
import { Icon } from '../components/icons.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { IDLE_MS, RUNNING_MS } from './tasks/here.js';
import { TaskRow } from './tasks/row.js';
import { Announced } from './tasks/state.js';
import { isOpen, kindText } from './tasks/told.js';
import { useWatched } from './tasks/watched.js';

const MOST_CHANNELS = 2_000;

/** Names by id, read anew when a task names a channel that is none of them. */
function useChannelNames(ids) {
  const [names, setNames] = useState({});
  const unknown = ids.filter((id) => id && !(id in names)).sort().join();
  useEffect(() => {
    if (!unknown) return;
    const gone = Object.fromEntries(unknown.split(',').map((id) => [id, null]));
    // without names the tasks are told all the same
    readChannels({}, MOST_CHANNELS).then(({ channels }) => setNames({ ...gone, ...Object.fromEntries(channels.map(({ id, name }) => [id, name])) }), () => {});
  }, [unknown]);
  return names;
}

const Table = ({ tasks, names, attempt }) => html`
  <table class="tasks-table">
    <thead><tr>
      <th scope="col">${t('task')}</th><th scope="col">${t('state')}</th><th scope="col">${t('progress')}</th>
      <th scope="col">${t('taskTimes')}</th><th scope="col">${t('actions')}</th>
    </tr></thead>
    <tbody>
      ${tasks.map((task) => html`
        <${TaskRow} key=${task.id} task=${task} channel=${names[task.channel_id]}
          onCancel=${() => attempt(() => cancelTask(task.id), t('taskCancelled', { kind: kindText(task.kind) }))} />`)}
    </tbody>
  </table>`;

export function Tasks() {
  const { query: { channel_id: channelId = '' } } = useRoute();
  const { data, problem, load } = useReading(readTasks, '', (tasks) => (tasks?.some(isOpen) ? RUNNING_MS : IDLE_MS));
  const names = useChannelNames((data ?? []).map(({ channel_id: id }) => id));
  const tasks = (data ?? []).filter((task) => !channelId || task.channel_id === channelId);
  const { watched } = useWatched(tasks);
  const channel = names[channelId] ?? channelId;
  return html`
    <section class="panel channels">
      <div class="panel-head"><h1>${t('tasks')}</h1></div>
      <p class="soft">${t('tasksText')}</p>
      ${channelId && html`
        <div class="narrowed">
          <button type="button" class="small" aria-label=${t('widen', { what: `${t('channel')}: ${channel}` })} onClick=${() => changeQuery({ channel_id: '' })}>
            ${t('channel')}: ${channel} <${Icon} name="close" />
          </button>
        </div>`}
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      <${Announced} tasks=${watched} />
      ${tasks.length > 0 && html`<${Table} tasks=${tasks} names=${names} attempt=${doing(load)} />`}
      ${data && tasks.length === 0 && html`<div class="empty"><h2>${t('noTasks')}</h2><p class="soft">${t('noTasksText')}</p></div>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
    </section>`;
}
