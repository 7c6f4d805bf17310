import { html } from '../html.js';

const SHAPES = {
  copy: 'M6 6V2.5h7.5V10H10M2.5 6H10v7.5H2.5z',
  done: 'M3 8.5L6.5 12 13 4.5',
  edit: 'M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z',
  trash: 'M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.8 7v4M9.2 7v4',
  sun: 'M8 5a3 3 0 100 6 3 3 0 000-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.5 9.8A6 6 0 016.2 2.5a6 6 0 107.3 7.3z',
  refresh: 'M13 8a5 5 0 11-1.5-3.6M13 2v3h-3',
  restore: 'M3 6.5h6.5a3.5 3.5 0 010 7H6M5.5 3.5l-3 3 3 3',
  play: 'M5 3.2v9.6L12.5 8z',
  code: 'M5.5 4L1.5 8l4 4M10.5 4l4 4-4 4',
  key: 'M5 7.5a3 3 0 110 .01M8 7.5h5.5v2.5M11 7.5v2',
  up: 'M8 13V3.5M4 7l4-4 4 4',
  down: 'M8 3v9.5M4 9l4 4 4-4',
  eye: 'M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6z',
  close: 'M4 4l8 8M12 4l-8 8',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  on: 'M8 2v6M4.7 4.2a5 5 0 106.6 0',
  order: 'M4.5 13V3.5M2 6l2.5-2.5L7 6M11.5 3v9.5M9 10l2.5 2.5L14 10',
  route: 'M3.5 13.5v-3a3 3 0 013-3h6M10 5l2.5 2.5L10 10M3.5 2.5v3',
  add: 'M8 3v10M3 8h10',
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;
