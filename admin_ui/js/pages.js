import { useState } from '../vendor/preact/hooks.mjs';

/** Which page of a list is shown, where each answer says where the next begins. `filter`: what the list is of; another one begins anew. */
export function usePages(filter) {
  // where the pages before this one began
  const [before, setBefore] = useState([]);
  const [after, setAfter] = useState('');
  const [filtered, setFiltered] = useState(filter);
  if (filter !== filtered) {
    setFiltered(filter);
    setBefore([]);
    setAfter('');
  }
  const forward = (next) => {
    setBefore([...before, after]);
    setAfter(next);
  };
  const back = () => {
    setAfter(before.at(-1));
    setBefore(before.slice(0, -1));
  };
  return { after, number: before.length, forward, back };
}
