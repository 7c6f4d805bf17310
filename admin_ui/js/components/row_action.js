import { html } from '../html.js';
import { Icon } from './icons.js';

/** What can be done with one row of a table. */
export const RowAction = ({ icon, label, onClick }) => html`
  <button type="button" aria-label=${label} title=${label} onClick=${onClick}><${Icon} name=${icon} /></button>`;

/** Takes what a row shows out of use, and puts it in again. */
export const RowSwitch = ({ on, label, onSwitch }) => html`
  <input type="checkbox" role="switch" class="switch" checked=${on} aria-label=${label} title=${label} onChange=${onSwitch} />`;
