import { html } from '../html.js';

const TINTS = 8;

/** A letter on a tint that follows from the name: tells things apart without anybody's trade mark. */
export function Tile({ name }) {
  const letter = [...name.trim()][0]?.toLocaleUpperCase() ?? '?';
  const tint = [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 9973, 7) % TINTS;
  return html`<span class="letter-tile tint-${tint}" aria-hidden="true">${letter}</span>`;
}
