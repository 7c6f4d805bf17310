import { html } from '../html.js';
import { t } from '../i18n.js';
import { Icon } from './icons.js';
import { toast } from './toasts.js';

async function copy(text, said) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyBySelection(text);
    toast(t('copied', { what: said ?? (text.includes('\n') ? text.split('\n')[0] + ' …' : text) }));
  } catch {
    toast(t('copyFailed'), 'bad');
  }
}

// navigator.clipboard is missing on plain http, which is how a gateway at home is often reached.
function copyBySelection(text) {
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  if (!copied) throw new Error('refused');
}

/** said: what the toast names in place of the text. */
export const CopyButton = ({ text, said, label, children }) => html`
  <button type="button" class=${children ? 'copy' : 'copy bare'} aria-label=${label} title=${label} onClick=${() => copy(text, said)}>
    ${children}<${Icon} name="copy" />
  </button>`;
