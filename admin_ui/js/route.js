// Which view is open, of what, and how it is filtered stands in the address behind #, so that it can be kept and sent.
import { useEffect, useState } from '../vendor/preact/hooks.mjs';

/** `#/channels/7/keys?state=resting`: view 'channels', rest ['7', 'keys'], query {state: 'resting'}. */
function read(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view, ...rest] = path.split('/');
  return { view, rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

export function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener('hashchange', follow);
    // it may be another since this was drawn
    follow();
    return () => removeEventListener('hashchange', follow);
  }, []);
  return read(hash);
}

/** Puts other words into the query, in place of the present entry of the history. Empty ones leave it. */
export function changeQuery(changes) {
  const { query } = read(location.hash);
  const words = Object.entries({ ...query, ...changes }).filter(([, word]) => word);
  const path = location.hash.split('?')[0] || '#/';
  history.replaceState(null, '', words.length ? `${path}?${new URLSearchParams(words)}` : path);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
