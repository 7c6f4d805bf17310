import { RowAction } from '../../components/row_action.js';
import { ago, exact } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { LastError, StateBadge } from '../channels/state.js';

/** item: the key. act(action, which) does it at once; open(kind, ...) asks first. */
export function KeyRow({ item, chosen, onChoose, act, open }) {
  const { id, hint, state, note, models } = item;
  const which = { ids: [id] };
  const off = state === 'disabled';
  const out = state === 'resting' || state === 'blacklisted';
  return html`
    <tr class=${chosen ? 'selected' : ''}>
      <td><input type="checkbox" checked=${chosen} aria-label=${t('selectNamed', { prefix: hint })} onChange=${onChoose} /></td>
      <th scope="row"><code>${hint}</code>
        ${models.length > 0 && html` <span class="badge" title=${models.join('\n')}>${t('modelCount', { n: models.length })}</span>`}</th>
      <td class="stacked" data-label=${t('state')}>
        <${StateBadge} state=${state} untilMs=${item.resting_until_ms} />
        ${item.last_error && (out || item.errors > 0) && html`<${LastError} error=${item.last_error} />`}
      </td>
      <td class="stacked" data-label=${t('attempts')}>
        <span>${exact(item.requests)}</span>
        ${item.errors > 0 && html`<span class="soft small-text">${t('errorsOf', { n: item.errors })}</span>`}
      </td>
      <td class="soft" data-label=${t('lastUsed')}>${ago(item.last_used_at_ms && item.last_used_at_ms / 1_000)}</td>
      <td class="key-note" data-label=${t('note')}>
        <button type="button" class="bare note-button" aria-label=${t('noteOf', { hint })} onClick=${() => open('note', { item })}>${note || t('addNote')}</button>
      </td>
      <td class="row-actions">
        ${out && html`<${RowAction} icon="restore" label=${t('restoreKey', { hint })} onClick=${() => act('restore', which)} />`}
        <${RowAction} icon="on" label=${t(off ? 'enableKey' : 'disableKey', { hint })} onClick=${() => act(off ? 'enable' : 'disable', which)} />
        <${RowAction} icon="play" label=${t('testNamed', { name: hint })} onClick=${() => open('test', { keyId: id, hint })} />
        <${RowAction} icon="eye" label=${t('revealKey', { hint })} onClick=${() => open('reveal', { item })} />
        <${RowAction} icon="trash" label=${t('deleteNamed', { prefix: hint })} onClick=${() => open('bulk', { action: 'delete', which, n: 1, hint })} />
      </td>
    </tr>`;
}
