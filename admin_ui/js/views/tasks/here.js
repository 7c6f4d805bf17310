// The tasks of one channel, where its keys are shown.
import { doing } from '../../action.js';
import { cancelTask, readTasks } from '../../api.js';
import { RowAction } from '../../components/row_action.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { useReading } from '../../reading.js';
import { Announced, TaskBadge, TaskProgress } from './state.js';
import { isOpen, kindText } from './told.js';
import { useWatched } from './watched.js';

export const RUNNING_MS = 1_000;
export const IDLE_MS = 5_000;

/** Those of a channel that are worth a look. watch(id): of one that was just ordered, which may have ended by now. onEnded: called when one has. */
export function useTasksOf(channelId, onEnded) {
  const read = async () => (await readTasks()).filter((task) => task.channel_id === channelId);
  const { data, load } = useReading(read, channelId, (tasks) => (tasks?.some(isOpen) ? RUNNING_MS : IDLE_MS));
  const { watched, watch, leave } = useWatched(data ?? [], onEnded);
  const order = (id) => {
    watch(id);
    load();
  };
  return { tasks: watched, watch: order, leave, load };
}

const Item = ({ task, onCancel, onLeave }) => {
  const kind = kindText(task.kind);
  return html`
    <li class="task-here ${task.state}">
      <span class="task-name"><b>${kind}</b><${TaskBadge} state=${task.state} /></span>
      ${isOpen(task)
        ? html`<button type="button" class="small" aria-label=${t('cancelTask', { kind })} onClick=${onCancel}>${t('cancel')}</button>`
        : html`<${RowAction} icon="close" label=${t('putAway', { kind })} onClick=${onLeave} />`}
      <div class="task-progress"><${TaskProgress} task=${task} /></div>
    </li>`;
};

export function TasksHere({ tasks, leave, load }) {
  const attempt = doing(load);
  return html`
    <${Announced} tasks=${tasks} />
    ${tasks.length > 0 && html`
      <ul class="tasks-here" aria-label=${t('tasks')}>
        ${tasks.map((task) => html`
          <${Item} key=${task.id} task=${task} onLeave=${() => leave(task.id)}
            onCancel=${() => attempt(() => cancelTask(task.id), t('taskCancelled', { kind: kindText(task.kind) }))} />`)}
      </ul>`}`;
}
