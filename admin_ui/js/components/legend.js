// What the colours of a chart mean; each series can be taken out of it and put in again.
import { html } from '../html.js';

/** series: as of Chart, each with what it adds up to as `total`, in words, if that means something. hidden: a Set of names. */
export const Legend = ({ series, hidden, onToggle, label }) => html`
  <div class="legend" role="group" aria-label=${label}>
    ${series.map(({ name, label: said, tint, total }) => html`
      <button key=${name} type="button" class="bare" aria-pressed=${!hidden.has(name)} onClick=${() => onToggle(name)}>
        <i class="swatch tint-${tint}"></i>${said}${total !== undefined && html` <b>${total}</b>`}
      </button>`)}
  </div>`;

/** The other Set, with `name` in it or not. */
export const toggled = (hidden, name) => {
  const other = new Set(hidden);
  if (!other.delete(name)) other.add(name);
  return other;
};
