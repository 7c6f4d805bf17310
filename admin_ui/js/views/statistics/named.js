import { knows, t } from '../../i18n.js';
import { NAMES } from './asked.js';

const shown = (way, name) => (way === 'dialect' && knows(`dialect_${name}`) ? t(`dialect_${name}`) : name);

/** How a row is called. */
export const nameOf = (row, by) => by.map((way) => shown(way, NAMES[way](row)) ?? t(`without_${way}`)).join(' · ');
