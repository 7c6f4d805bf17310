import { Tile } from '../../components/tile.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { PROVIDERS } from '../../providers.js';

/** The providers that a new channel may begin with; `chosen` is one of them, null for another, undefined before the choice. */
export function Presets({ chosen, onChoose }) {
  if (chosen !== undefined) {
    return html`
      <div class="preset-chosen">
        <${Tile} name=${chosen?.name ?? '+'} /><b>${chosen?.name ?? t('otherProvider')}</b>
        ${chosen?.edit && html`<span class="soft">${t('editPart', { part: chosen.edit })}</span>`}
        <button type="button" class="bare" onClick=${() => onChoose(undefined)}>${t('changeProvider')}</button>
      </div>`;
  }
  return html`
    <fieldset class="presets">
      <legend>${t('provider')}</legend>
      ${PROVIDERS.map((provider) => html`
        <button type="button" key=${provider.name} onClick=${() => onChoose(provider)}><${Tile} name=${provider.name} />${provider.name}</button>`)}
      <button type="button" onClick=${() => onChoose(null)}><${Tile} name="+" />${t('otherProvider')}</button>
    </fieldset>`;
}
