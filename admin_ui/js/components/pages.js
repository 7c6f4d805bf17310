import { html } from '../html.js';
import { t } from '../i18n.js';

/** Below a list that has pages. children: what is said of it. */
export const PageFoot = ({ pages, next, onTurn = () => {}, children }) => html`
  <footer class="pages">
    <span>${children}</span>
    ${(pages.number > 0 || next) && html`
      <button type="button" disabled=${pages.number === 0} onClick=${() => { pages.back(); onTurn(); }}>${t('previousPage')}</button>
      <button type="button" disabled=${!next} onClick=${() => { pages.forward(next); onTurn(); }}>${t('nextPage')}</button>`}
  </footer>`;
