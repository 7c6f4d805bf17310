// What narrows a list, and stands in the address.
import { useEffect, useRef, useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { changeQuery } from '../route.js';
import { timeIn, timeText } from '../typed.js';

const TYPING_MS = 250;

/** A field whose text is searched for once its reader pauses: by standing in the address, unless `onSearch` takes it. */
export function SearchField({ name, value, label, onSearch = (said) => changeQuery({ [name]: said }), ...more }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  const told = useRef(value);
  useEffect(() => {
    // by a link or the button that takes filters away, not by typing here
    if (value !== told.current) setText((told.current = value));
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (event) => {
    const typed = event.target.value;
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch((told.current = typed.trim())), TYPING_MS);
  };
  return html`
    <input type="search" name=${name} value=${text} placeholder=${label} aria-label=${label} autocapitalize="off" autocomplete="off"
      spellcheck=${false} onInput=${type} ...${more} />`;
}

export const Choices = ({ name, value, label, all, choices }) => html`
  <select name=${name} aria-label=${label} value=${value} onChange=${(event) => changeQuery({ [name]: event.target.value })}>
    <option value="">${all}</option>
    ${choices.map(([choice, text]) => html`<option key=${choice} value=${choice}>${text}</option>`)}
  </select>`;

/** An instant, in ms since 1970 in the address. */
export const TimeChoice = ({ name, ms, label }) => html`
  <label class="inline">${label}
    <input type="datetime-local" name=${name} value=${timeText(ms ? Number(ms) : null)}
      onChange=${(event) => changeQuery({ [name]: event.target.value ? String(timeIn(event.target.value)) : '' })} /></label>`;
