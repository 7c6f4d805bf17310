import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { remaining } from '../format.js';
import { html } from '../html.js';

/** The time that is left until an instant, counting down. */
export function Remaining({ untilMs }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return html`<time dateTime=${new Date(untilMs).toISOString()} title=${new Date(untilMs).toLocaleString()}>${remaining(untilMs - now)}</time>`;
}
