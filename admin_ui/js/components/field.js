import { html } from '../html.js';

/** What is wrong with a field, said beside it; nothing where `text` is empty. */
export const Objection = ({ id, text }) =>
  text && html`<p class="objection" id="${id}-wrong" role="alert">${text}</p>`;

/** Below a field: what may stand there, or what is wrong with what does. */
export const Hint = ({ id, text, wrong }) =>
  wrong ? html`<${Objection} id=${id} text=${wrong} />` : html`<p class="hint" id="${id}-hint">${text}</p>`;

/** What aria-describedby of a field with a Hint names. */
export const hintOf = (id, wrong) => `${id}-${wrong ? 'wrong' : 'hint'}`;
