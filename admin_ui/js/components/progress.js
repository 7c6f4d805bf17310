import { decimal } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

/** How far something is. total: 0 while nobody knows. label: of what. children: what is said behind it. */
export function Progress({ done, total, label, children }) {
  if (!total) return html`<progress key="unknown" class="progress" aria-label=${label}></progress>`;
  const said = t('doneOf', { done, total });
  const reached = Math.min(done, total);
  // never 100 % before it is all done
  const tenths = Math.floor((reached / total) * 1_000);
  return html`
    <span class="progress-line" key="known">
      <progress class="progress" aria-label=${label} aria-valuetext=${said} max=${total} value=${reached}></progress>
      <span class="small-text">${decimal(tenths / 10, 1)} %</span>
      <span class="soft small-text">${said}</span>
      ${children}
    </span>`;
}
