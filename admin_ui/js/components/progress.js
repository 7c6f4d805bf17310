import { percent } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

/** How far something is. total: 0 while nobody knows. label: of what. */
export function Progress({ done, total, label }) {
  if (!total) return html`<progress key="unknown" class="progress" aria-label=${label}></progress>`;
  const said = t('doneOf', { done, total });
  return html`
    <span class="progress-line" key="known">
      <progress class="progress" aria-label=${label} aria-valuetext=${said} max=${total} value=${Math.min(done, total)}></progress>
      <span class="small-text">${percent(Math.floor((Math.min(done, total) / total) * 1_000) / 10)}</span>
      <span class="soft small-text">${said}</span>
    </span>`;
}
