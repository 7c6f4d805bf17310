import { html } from '../html.js';

const SHAPES = {
  copy: 'M6 6V2.5h7.5V10H10M2.5 6H10v7.5H2.5z',
  edit: 'M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z',
  trash: 'M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.8 7v4M9.2 7v4',
  sun: 'M8 5a3 3 0 100 6 3 3 0 000-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.5 9.8A6 6 0 016.2 2.5a6 6 0 107.3 7.3z',
  refresh: 'M13 8a5 5 0 11-1.5-3.6M13 2v3h-3',
  restore: 'M3 6.5h6.5a3.5 3.5 0 010 7H6M5.5 3.5l-3 3 3 3',
  add: 'M8 3v10M3 8h10',
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;
