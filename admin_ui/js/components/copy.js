import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { Icon } from './icons.js';
import { toast } from './toasts.js';

const DONE_MS = 1_500;

/** Whether it is copied now. */
async function copy(text, said) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyBySelection(text);
    toast(t('copied', { what: said ?? (text.includes('\n') ? text.split('\n')[0] + ' …' : text) }));
    return true;
  } catch {
    toast(t('copyFailed'), 'bad');
    return false;
  }
}

// navigator.clipboard is missing on plain http, which is how a gateway at home is often reached.
function copyBySelection(text) {
  const focused = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  // outside of an open dialog nothing can be selected
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  focused?.focus();
  if (!copied) throw new Error('refused');
}

/** said: what the toast names in place of the text. The button says that it is done as well: a dialog hides the toast. */
export function CopyButton({ text, said, label, children }) {
  const [done, setDone] = useState(0);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(0), DONE_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const press = async () => setDone((await copy(text, said)) ? Date.now() : 0);
  return html`
    <button type="button" class=${children ? 'copy' : 'copy bare'} aria-label=${label} title=${label} onClick=${press}>
      ${children}<${Icon} name=${done ? 'done' : 'copy'} />
    </button>`;
}
