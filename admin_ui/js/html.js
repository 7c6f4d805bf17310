import { h } from '../vendor/preact/preact.mjs';
import htm from '../vendor/htm/htm.mjs';

export const html = htm.bind(h);
