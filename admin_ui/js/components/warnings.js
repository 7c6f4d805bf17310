// What a person should act upon, above each view. Errors stay until they are mended; the rest can be put aside for as
// long as this tab is open, and is back when a warning is new among it. What is mere information waits to be asked for.
import { useState } from '../../vendor/preact/hooks.mjs';
import { readWarnings } from '../api.js';
import { html } from '../html.js';
import { knows, t } from '../i18n.js';
import { useReading } from '../reading.js';
import { recallHere, rememberHere } from '../remember.js';
import { useRoute } from '../route.js';

const POLL_MS = 15_000;

/** In the reader's words; what it is about stands behind the first colon of the gateway's own sentence. */
function textOf({ code, message }) {
  const name = `warning_${code}`;
  const colon = message.indexOf(': ');
  return knows(name) ? t(name, { what: colon < 0 ? '' : message.slice(colon + 2) }) : message;
}

const Warning = ({ one }) => html`
  <li class=${one.severity}>
    <span>${textOf(one)}</span>
    ${one.link.startsWith('#') ? html`<a href=${one.link}>${t('mendIt')}</a>` : html`<code>${one.link}</code>`}
  </li>`;

const List = ({ warnings }) => html`<ul>${warnings.map((one) => html`<${Warning} key=${one.message} one=${one} />`)}</ul>`;

/** What was put aside here, by the sentences of the gateway. */
function usePutAside() {
  const [aside, setAside] = useState(() => (recallHere('warnings') ?? '').split('\n'));
  const putAside = (warnings) => {
    const messages = warnings.map(({ message }) => message);
    rememberHere('warnings', messages.join('\n'));
    setAside(messages);
  };
  return [aside, putAside];
}

export function Warnings() {
  const { view } = useRoute();
  const { data } = useReading(readWarnings, view, () => POLL_MS);
  const [aside, putAside] = usePutAside();
  const [isAskedFor, askFor] = useState(false);
  const errors = data?.filter(({ severity }) => severity === 'error') ?? [];
  const others = data?.filter(({ severity }) => severity !== 'error') ?? [];
  if (errors.length + others.length === 0) return null;
  const isNew = ({ severity, message }) => severity !== 'info' && !aside.includes(message);
  const isOpen = isAskedFor || others.some(isNew);
  const toggle = () => {
    putAside(isOpen ? others : []);
    askFor(!isOpen);
  };
  return html`
    <section class="warnings" aria-label=${t('warnings')}>
      ${errors.length > 0 && html`<${List} warnings=${errors} />`}
      ${others.length > 0 && html`
        ${isOpen && html`<${List} warnings=${others} />`}
        <button type="button" class="bare" aria-expanded=${isOpen} onClick=${toggle}>
          ${isOpen ? t('putAside') : t('showWarnings', { n: others.length })}
        </button>`}
    </section>`;
}
