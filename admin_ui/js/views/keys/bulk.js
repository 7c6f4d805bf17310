import { useAction } from '../../action.js';
import { changeKeys } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { Refusal } from '../tasks/refusal.js';

/** What can be done to keys that are all in one state; to others, everything. */
const ACTIONS = ['validate', 'restore', 'enable', 'disable', 'delete'];
const USELESS = { active: ['restore', 'enable'], resting: ['enable'], blacklisted: ['enable'], disabled: ['restore', 'disable'] };

/** For which keys the buttons are: those that are chosen, else all of the state that is filtered for, else all. */
function meant(chosen, state, counts) {
  if (chosen.length > 0) return { which: { ids: chosen }, n: chosen.length, said: t('keysChosen', { n: chosen.length }), useless: [] };
  if (state) return { which: { state }, n: counts[state], said: t(`keys_all_${state}`, { n: counts[state] }), useless: USELESS[state] ?? [] };
  return { which: { all: true }, n: counts.total, said: t('keys_all', { n: counts.total }), useless: [] };
}

/** searched: the list is narrowed by words, so nothing stands for all of it; only what is chosen does. */
export function Bulk({ chosen, state, searched, counts, open }) {
  if (searched && chosen.length === 0) return null;
  const { which, n, said, useless } = meant(chosen, state, counts);
  if (!n) return null;
  return html`
    <div class="bulk" role="group" aria-label=${t('bulk')}>
      <span>${said}</span>
      ${ACTIONS.filter((action) => !useless.includes(action)).map((action) => html`
        <button type="button" key=${action} class=${action === 'delete' ? 'risky' : ''} onClick=${() => open('bulk', { action, which, n, said })}>${t(action)}</button>`)}
    </div>`;
}

/** Asks before it is done, and says to how many. hint: of the one key that it is for. */
export function BulkDialog({ id, channel, action, which, n, said, hint, onClose, onChanged, onOrdered }) {
  const { error, busy, start } = useAction(
    async () => {
      const { task, changed } = await changeKeys(id, action, which);
      if (task) onOrdered(task);
      else onChanged(t(`keysDone_${action}`, { n: changed }));
    },
    () => {},
  );
  return html`
    <${Dialog} title=${hint ? t('deleteChannel', { name: hint }) : t(`keysAsk_${action}`, { n })} action=${t(action)} danger=${action === 'delete'} busy=${busy}
      problem=${error && html`<${Refusal} error=${error} channelId=${id} />`} onSubmit=${start} onClose=${onClose}>
      ${said && html`<p><b>${said}</b> · ${channel.name}</p>`}
      <p>${t(`keysAskText_${action}`, { n })}</p>
    <//>`;
}
