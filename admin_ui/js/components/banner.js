import { html } from '../html.js';

/** A sentence about the state of things, above what it concerns. kind: 'bad', 'warn' or 'info'. */
export const Banner = ({ kind, children }) => html`<p class="banner ${kind}" role="status">${children}</p>`;
