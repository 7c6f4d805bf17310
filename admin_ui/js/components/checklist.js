import { useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';

const SEARCH_FROM = 12;

/** What may be chosen of many, with a search where they are more than a glance takes in. items: [value, shown] each. */
export function Checklist({ name, items, chosen, search, onToggle }) {
  const [query, setQuery] = useState('');
  const wanted = query.trim().toLowerCase();
  const shown = items.filter(([value, text]) => `${value} ${text}`.toLowerCase().includes(wanted));
  return html`
    ${items.length > SEARCH_FROM && html`
      <input type="search" value=${query} placeholder=${search} aria-label=${search}
        onInput=${(event) => setQuery(event.target.value)} onKeyDown=${(event) => event.key === 'Enter' && event.preventDefault()} />`}
    <ul class="checklist">
      ${shown.map(([value, text]) => html`
        <li key=${value}><label class="check"><input type="checkbox" name=${name} checked=${chosen.includes(value)}
          onChange=${() => onToggle(value)} /><code>${text}</code></label></li>`)}
    </ul>`;
}
