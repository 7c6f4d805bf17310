import { Progress } from '../../components/progress.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { isOpen, kindText, toldText } from './told.js';

const MARKS = { queued: 'fair', running: 'fair', done: 'good', failed: 'bad', cancelled: '' };

export const TaskBadge = ({ state }) => html`<span class="state ${MARKS[state] ?? ''}">${t(`task_${state}`)}</span>`;

/** How far a task is, and what it says. */
export function TaskProgress({ task }) {
  const told = toldText(task);
  const stopped = task.state === 'cancelled' || task.state === 'failed';
  return html`
    ${(isOpen(task) || (stopped && task.done > 0 && task.total > 0)) && html`<${Progress} done=${task.done} total=${task.total} label=${kindText(task.kind)} />`}
    ${told && html`<span class=${task.state === 'failed' ? 'bad told' : 'soft told'}>${told}</span>`}`;
}

const QUARTERS = 4;

/** For those who cannot see bars: what ended and each quarter of what goes on, said once. tasks: those to tell of. */
export const Announced = ({ tasks }) => html`
  <p class="unseen" role="status">
    ${tasks.map((task) => {
      const quarter = task.total > 0 ? Math.floor((task.done / task.total) * QUARTERS) / QUARTERS : 0;
      return `${kindText(task.kind)}: ${isOpen(task) ? `${quarter * 100} %` : `${t(`task_${task.state}`)}, ${toldText(task)}`}. `;
    })}
  </p>`;
