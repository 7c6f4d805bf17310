import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { KeyRow } from './row.js';

/** chosen: ids. */
export function Table({ keys, chosen, onChosen, act, open }) {
  const here = keys.map(({ id }) => id);
  const all = chosen.length > 0 && chosen.length === here.length;
  const toggle = (id) => onChosen(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id]);
  return html`
    <table class="keys-table">
      <thead><tr>
        <th scope="col" data-label=${t('selectAll')}><input type="checkbox" checked=${all} indeterminate=${chosen.length > 0 && !all} aria-label=${t('selectAll')}
          title=${t('selectAll')} onChange=${() => onChosen(all ? [] : here)} /></th>
        <th scope="col">${t('key')}</th><th scope="col">${t('state')}</th><th scope="col">${t('attempts')}</th>
        <th scope="col">${t('lastUsed')}</th><th scope="col">${t('note')}</th><th scope="col">${t('actions')}</th>
      </tr></thead>
      <tbody>
        ${keys.map((key) => html`
          <${KeyRow} key=${key.id} item=${key} chosen=${chosen.includes(key.id)} onChoose=${() => toggle(key.id)} act=${act} open=${open} />`)}
      </tbody>
    </table>`;
}
