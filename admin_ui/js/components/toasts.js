import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';

const SHOWN_MS = 3_500;
let show = () => {};

/** Says something in passing. kind: 'good' or 'bad'. */
export const toast = (text, kind = 'good') => show({ text, kind });

/** Stands once on each page. */
export function Toasts() {
  const [toasts, setToasts] = useState([]);
  useEffect(() => {
    show = (one) => {
      setToasts((all) => [...all.slice(-2), one]);
      setTimeout(() => setToasts((all) => all.filter((other) => other !== one)), SHOWN_MS);
    };
  }, []);
  return html`
    <div class="toasts" role="status" aria-live="polite">
      ${toasts.map(({ text, kind }) => html`<p class="toast ${kind}">${text}</p>`)}
    </div>`;
}
