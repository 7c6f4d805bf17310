import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { readChannels, readTokens } from '../api.js';
import { t } from '../i18n.js';

const MOST = 500;

/** [id, name] of the channels and access tokens that there are; none until they are read. */
export function useNames() {
  const [names, setNames] = useState({ channels: [], tokens: [] });
  useEffect(() => {
    const named = (list) => list.map(({ id, name }) => [id, name]);
    // without them a page still says what its rows are of
    readChannels({}, MOST).then(({ channels }) => setNames((old) => ({ ...old, channels: named(channels) })), () => {});
    readTokens({}, MOST).then(({ access_tokens: tokens }) => setNames((old) => ({ ...old, tokens: named(tokens) })), () => {});
  }, []);
  return names;
}

/** The choices with what is chosen among them, also where that is not there any more. */
export const withChosen = (choices, chosen) =>
  !chosen || choices.some(([id]) => id === chosen) ? choices : [...choices, [chosen, t('goneNamed', { id: chosen })]];
