import { t } from '../../../i18n.js';

/** What the gateway says of lines most often, and the word for it. */
const KNOWN = [
  [/^which dialects it speaks is guessed: (.+)$/, 'csvNoteGuessed'],
  [/^it has no key yet$/, 'csvNoteNoKey'],
  [/^(\w+) is not taken$/, 'csvNoteNotTaken'],
  [/^columns that are not known are passed over: (.+)$/, 'csvNoteStrange'],
  [/^model_redirects of what models does not list are not taken: (.+)$/, 'csvNoteRedirects'],
  [/^lacks (.+)$/, 'csvNoteLacks'],
  [/^name: line (\d+) is for this channel already$/, 'csvNoteTwice'],
];

/** A sentence of the gateway in the reader's words; its own, where it is none of those. */
export function noteText(said) {
  const [pattern, word] = KNOWN.find(([one]) => one.test(said)) ?? [];
  return pattern ? t(word, { what: pattern.exec(said)[1] }) : said;
}
