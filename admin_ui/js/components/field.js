import { html } from '../html.js';

/** What aria-describedby of a field names: its hint, and what is wrong with it where something is. */
export const describedBy = (id, wrong) => `${id}-hint${wrong ? ` ${id}-wrong` : ''}`;

/** What is wrong with a field, said beside it; nothing where `text` is empty. */
export const Objection = ({ id, text }) =>
  text && html`<p class="objection" id="${id}-wrong" role="alert">${text}</p>`;
