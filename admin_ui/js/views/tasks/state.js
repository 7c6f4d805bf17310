import { Progress } from '../../components/progress.js';
import { remaining } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { isOpen, kindText, toldText } from './told.js';

const MARKS = { queued: 'fair', running: 'fair', done: 'good', failed: 'bad', cancelled: '' };

export const TaskBadge = ({ state }) => html`<span class="state ${MARKS[state] ?? ''}">${t(`task_${state}`)}</span>`;

const SURE_MS = 3_000;

/** How long the rest takes if it goes on like this; null while that cannot be said. */
function leftMs({ state, done, total, started_at_ms: started }) {
  const tookMs = Date.now() - started;
  return state === 'running' && done > 0 && done < total && tookMs > SURE_MS ? (tookMs / done) * (total - done) : null;
}

/** How far a task is, and what it says. */
export function TaskProgress({ task }) {
  const told = toldText(task);
  const left = leftMs(task);
  const stopped = task.state === 'cancelled' || task.state === 'failed';
  return html`
    ${(isOpen(task) || (stopped && task.done > 0 && task.total > 0)) && html`<${Progress} done=${task.done} total=${task.total} label=${kindText(task.kind)}>
      ${left !== null && html`<span class="soft small-text">${t('timeLeft', { time: remaining(left) })}</span>`}
    <//>`}
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
