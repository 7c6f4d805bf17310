// What a backup changes, or did.
import { exact, moment } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { sentenceText } from '../../sentences.js';

const KINDS = ['added', 'changed', 'removed'];
const MARKS = { added: 'good', changed: 'fair', removed: 'bad' };
/** So many names of a kind are listed. */
const LISTED = 50;

const nounText = (noun) => (knows(`noun_${noun}`) ? t(`noun_${noun}`) : noun);

const Names = ({ kind, names }) => names.length > 0 && html`
  <div class="names-of">
    <span class="state ${MARKS[kind]}">${t(`restore_${kind}`, { n: names.length })}</span>
    <span>${names.slice(0, LISTED).map((name) => html`<code key=${name}>${name}</code> `)}${names.length > LISTED && t('csvMore', { n: names.length - LISTED })}</span>
  </div>`;

const Noun = ({ change }) => html`
  <section>
    <h3>${nounText(change.noun)}</h3>
    ${KINDS.map((kind) => html`<${Names} key=${kind} kind=${kind} names=${change[kind]} />`)}
  </section>`;

export const changesNothing = ({ changes, keys }) => changes.length === 0 && KINDS.every((kind) => keys[kind] === 0);

export const Changes = ({ outcome }) => html`
  <p class="soft">${t('backupOf', { when: moment(outcome.made_at_ms), product: outcome.product })} ${t(outcome.secrets === 'encrypted' ? 'backupHasSecrets' : 'backupLacksSecrets')}</p>
  ${changesNothing(outcome) && html`<p>${t('restoreNothing')}</p>`}
  ${outcome.changes.map((change) => html`<${Noun} key=${change.noun} change=${change} />`)}
  ${KINDS.some((kind) => outcome.keys[kind] > 0) && html`
    <section>
      <h3>${t('noun_keys')}</h3>
      <dl class="figures">${KINDS.map((kind) => html`<div key=${kind}><dt>${t(`restoreKeys_${kind}`)}</dt><dd>${exact(outcome.keys[kind])}</dd></div>`)}</dl>
    </section>`}
  ${outcome.notes.length > 0 && html`
    <section>
      <h3>${t('restoreNotes')}</h3>
      <ul class="notes">${outcome.notes.map((note) => html`<li key=${note}>${sentenceText(note)}</li>`)}</ul>
    </section>`}`;
