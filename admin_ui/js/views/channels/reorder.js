import { useEffect, useRef, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { readChannels, reorderChannels } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { Icon } from '../../components/icons.js';
import { Tile } from '../../components/tile.js';
import { exact } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';

const MOST = 1_000;

function moved(all, from, to) {
  if (to < 0 || to >= all.length) return all;
  const next = [...all];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}

/** Puts all channels, whatever the filters, into an order by buttons or the arrow keys. */
export function ReorderDialog({ onClose, onChanged }) {
  const [all, setAll] = useState(null);
  const [problem, setProblem] = useState('');
  const [said, setSaid] = useState('');
  const list = useRef();
  const refocus = useRef(null);
  useEffect(() => {
    readChannels({}, MOST).then(({ channels }) => setAll(channels), (failure) => setProblem(problemText(failure)));
  }, []);
  const { error, busy, start } = useAction(
    () => reorderChannels(all.map(({ id }) => id)),
    () => onChanged(t('reordered')),
  );
  useEffect(() => {
    if (refocus.current) list.current?.querySelector(`[data-id="${refocus.current}"]`)?.focus();
    refocus.current = null;
  }, [all]);
  const move = (from, to) => {
    const next = moved(all, from, to);
    if (next === all) return;
    refocus.current = all[from].id;
    setAll(next);
    setSaid(t('movedTo', { name: all[from].name, place: to + 1, total: all.length }));
  };
  const press = (place) => (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(place, place + step);
  };
  return html`
    <${Dialog} title=${t('reorder')} action=${t('save')} busy=${busy || !all} problem=${problem || (error && problemText(error))} onSubmit=${start} onClose=${onClose}>
      <p class="soft" id="reorder-text">${t('reorderText')}</p>
      <p class="unseen" role="status">${said}</p>
      ${!all && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${all && html`
        <ol class="order" ref=${list}>
          ${all.map((channel, place) => html`
            <li key=${channel.id} tabindex="0" data-id=${channel.id} aria-describedby="reorder-text" onKeyDown=${press(place)}>
              <span class="soft place">${place + 1}</span><${Tile} name=${channel.name} /><b>${channel.name}</b>
              <span class="soft">${exact(channel.priority)}</span>
              <button type="button" class="bare" disabled=${place === 0} aria-label=${t('moveUp', { name: channel.name })} title=${t('moveUp', { name: channel.name })}
                onClick=${() => move(place, place - 1)}><${Icon} name="up" /></button>
              <button type="button" class="bare" disabled=${place === all.length - 1} aria-label=${t('moveDown', { name: channel.name })} title=${t('moveDown', { name: channel.name })}
                onClick=${() => move(place, place + 1)}><${Icon} name="down" /></button>
            </li>`)}
        </ol>`}
    <//>`;
}
