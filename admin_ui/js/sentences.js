import { t } from './i18n.js';

/** What the gateway says most often in its own words, of files and tasks, and the word for it. */
const KNOWN = [
  [/^which dialects it speaks is guessed: (.+)$/, 'csvNoteGuessed'],
  [/^it has no key yet$/, 'csvNoteNoKey'],
  [/^(\w+) is not taken$/, 'csvNoteNotTaken'],
  [/^columns that are not known are passed over: (.+)$/, 'csvNoteStrange'],
  [/^model_redirects of what models does not list are not taken: (.+)$/, 'csvNoteRedirects'],
  [/^lacks (.+)$/, 'csvNoteLacks'],
  [/^name: line (\d+) is for this channel already$/, 'csvNoteTwice'],
  [/^number (\d+) of \w+ cannot be a key: /, 'notAKey'],
  [/^\w+ holds no key$/, 'error_invalid_text'],
  [/^it is being cancelled$/, 'beingCancelled'],
  [/^its process ended in the middle; it goes on as soon as a worker can$/, 'goesOn'],
  [/^([\d,]+) told none$/, 'someToldNone'],
];

/** A sentence of the gateway in the reader's words; its own, where it is none of those. */
export function sentenceText(said) {
  const [pattern, word] = KNOWN.find(([one]) => one.test(said)) ?? [];
  return pattern ? t(word, { what: pattern.exec(said)[1] }) : said;
}
