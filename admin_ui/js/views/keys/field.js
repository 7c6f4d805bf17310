import { useLayoutEffect, useMemo, useRef } from '../../../vendor/preact/hooks.mjs';
import { Objection } from '../../components/field.js';
import { Input } from '../../components/input.js';
import { bytes } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { countIn } from './given.js';

/** A longer text is not shown: a browser takes many seconds to lay it out in a field. */
const MOST_SHOWN = 200_000;

/** Keys that are given and not shown. name: where they came from. */
export function Held({ name, size, count, wrong, onRemove }) {
  const box = useRef();
  // the field that had the focus is gone
  useLayoutEffect(() => box.current.querySelector('button').focus(), []);
  return html`
    <div class="held" ref=${box}>
      <span><b>${name}</b> <span class="soft">${bytes(size)} · ${t('keyCount', { n: count })}</span></span>
      <button type="button" class="small" onClick=${onRemove}>${t('removeFile')}</button>
      <${Objection} id="held" text=${wrong} />
    </div>`;
}

/** Where keys are typed, or pasted in any number. */
export function KeysField({ text, wrong, onText, ...more }) {
  const count = useMemo(() => countIn(text), [text]);
  if (text.length > MOST_SHOWN) return html`<${Held} name=${t('pastedText')} size=${text.length} count=${count} wrong=${wrong} onRemove=${() => onText('')} />`;
  const paste = (event) => {
    const pasted = event.clipboardData.getData('text');
    if (text.length + pasted.length <= MOST_SHOWN) return;
    event.preventDefault();
    onText(text ? `${text}\n${pasted}` : pasted);
  };
  return html`
    <${Input} name="keys" label=${t('keys')} unit=${count > 0 ? t('keyCount', { n: count }) : ''} text=${text} area placeholder="sk-..." wrong=${wrong}
      onText=${onText} onPaste=${paste} ...${more} />`;
}
