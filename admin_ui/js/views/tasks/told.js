// What is said of a task, in the reader's words.
import { count, exact } from '../../format.js';
import { knows, t } from '../../i18n.js';
import { sentenceText } from '../../sentences.js';
import { outcomeText } from '../channels/state.js';

export const isOpen = ({ state }) => state === 'queued' || state === 'running';

export const kindText = (kind) => (knows(`kind_${kind}`) ? t(`kind_${kind}`) : kind);

const outcomesText = (outcomes) =>
  Object.entries(outcomes)
    .map(([outcome, n]) => `${knows(`tried_${outcome}`) ? t(`tried_${outcome}`) : outcomeText(outcome)} ${count(n)}`)
    .join(' · ');

const addedText = ({ added, duplicates }) => [t('keysAdded', { n: added }), duplicates > 0 && t('keysDuplicate', { n: duplicates })].filter(Boolean).join(' · ');

const modelListsText = ({ channels }) => {
  const told = channels.filter(({ error }) => error === null);
  return [t('modelListsTold', { n: told.length }), channels.length > told.length && t('modelListsFailed', { n: channels.length - told.length })].filter(Boolean).join(' · ');
};

const RESULTS = [
  ['added', addedText],
  ['outcomes', ({ outcomes, tried }) => (tried > 0 ? outcomesText(outcomes) : t('nothingTried'))],
  ['channels', modelListsText],
];

/** `restore_keys`: the word for so many restored ones; null where it changes no keys. */
const changedText = (kind, n) => {
  const name = `keysDone_${kind.replace(/_keys$/, '')}`;
  return knows(name) ? t(name, { n }) : null;
};

function resultText({ kind, result }) {
  const [, text] = RESULTS.find(([field]) => field in result) ?? [];
  if (text) return text(result);
  return changedText(kind, result.changed ?? NaN) ?? Object.entries(result).map(([name, value]) => `${name} ${typeof value === 'number' ? exact(value) : value}`).join(' · ');
}

const numberIn = (text) => Number(text.replaceAll(',', ''));
const COUNTED = /^([\d,]+) keys? (added|deleted|restored|enabled|disabled)$/;
const WORDS = { added: 'keysAdded', deleted: 'keysDone_delete', restored: 'keysDone_restore', enabled: 'keysDone_enable', disabled: 'keysDone_disable' };
const OUTCOMES = /^\w+ [\d,]+(, \w+ [\d,]+)*$/;

/** The server's own sentence, where it is none of those that a task says while all is well. */
function messageText(message) {
  const [, n, done] = COUNTED.exec(message) ?? [];
  if (done) return t(WORDS[done], { n: numberIn(n) });
  // a count may have commas of its own, but no blank behind them
  if (OUTCOMES.test(message)) return outcomesText(Object.fromEntries(message.split(', ').map((part) => part.split(' ')).map(([name, many]) => [name, numberIn(many)])));
  return sentenceText(message);
}

/** What a task did, or says while it does it; empty where it says nothing. */
export function toldText(task) {
  if (task.state === 'queued' && !task.message) return t('waitsForWorker');
  return task.result && task.state !== 'failed' ? resultText(task) : messageText(task.message);
}
