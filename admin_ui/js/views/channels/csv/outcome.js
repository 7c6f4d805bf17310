// What a CSV file changes, or did.
import { exact } from '../../../format.js';
import { html } from '../../../html.js';
import { knows, t } from '../../../i18n.js';
import { sentenceText } from '../../../sentences.js';

/** So many lines of a kind are listed; the counts above are of all. */
const LISTED = 100;

const FIELDS = {
  urls: 'baseUrls', check_model: 'checkModel', enabled: 'state_enabled', key_strategy: 'keyStrategy', proxy_url: 'csvProxy', options: 'csvOptions',
};

/** By the word that the channel's form has for it. */
const fieldText = (name) => {
  const word = FIELDS[name] ?? [`channel_${name}`, name].find(knows);
  return word ? t(word) : name;
};

const keysText = ({ keys_added: added, keys_changed: changed, keys_removed: removed }) => [
  added > 0 && t('csvKeysAdded', { n: added }), changed > 0 && t('csvKeysChanged', { n: changed }), removed > 0 && t('csvKeysRemoved', { n: removed }),
];

const sum = (changes, name) => changes.reduce((all, change) => all + change[name], 0);

const Figure = ({ label, n, mark = '' }) => html`<div><dt>${label}</dt><dd class=${n > 0 ? mark : ''}>${exact(n)}</dd></div>`;

const Figures = ({ outcome: { created, updated, unchanged, skipped, changes } }) => html`
  <dl class="figures">
    <${Figure} label=${t('csv_created')} n=${created} />
    <${Figure} label=${t('csv_updated')} n=${updated - unchanged} />
    <${Figure} label=${t('csv_unchanged')} n=${unchanged} />
    <${Figure} label=${t('csvSkipped')} n=${skipped} mark="fair" />
    <${Figure} label=${t('csvKeysNew')} n=${sum(changes, 'keys_added')} />
    <${Figure} label=${t('csvKeysGone')} n=${sum(changes, 'keys_removed')} mark="bad" />
  </dl>`;

const Errors = ({ errors }) => html`
  <section class="csv-errors">
    <h3>${t('csvErrors', { n: errors.length })}</h3>
    <ul>${errors.slice(0, LISTED).map(({ line, message }) => html`<li key=${line}><b>${t('csvLine', { line })}</b> ${sentenceText(message)}</li>`)}</ul>
    ${errors.length > LISTED && html`<p class="soft">${t('csvMore', { n: errors.length - LISTED })}</p>`}
  </section>`;

const Change = ({ change }) => html`
  <tr>
    <td class="soft">${exact(change.line)}</td>
    <th scope="row"><b>${change.name}</b></th>
    <td><span class="state ${change.action === 'created' ? 'good' : 'fair'}">${t(`csv_${change.action}`)}</span></td>
    <td class="csv-what">
      ${[...change.fields.map(fieldText), ...keysText(change)].filter(Boolean).join(' · ')}
      ${change.notes.map((note) => html`<span class="soft small-text" key=${note}>${sentenceText(note)}</span>`)}
    </td>
  </tr>`;

function Changes({ changes, preview }) {
  const shown = changes.filter(({ action, notes }) => action !== 'unchanged' || notes.length > 0);
  if (shown.length === 0) return null;
  return html`
    <table class="csv-table">
      <caption>${t(preview ? 'csvWouldChange' : 'csvChanged')}</caption>
      <thead><tr><th scope="col">${t('line')}</th><th scope="col">${t('channel')}</th><th scope="col">${t('csvBecomes')}</th><th scope="col">${t('csvWhat')}</th></tr></thead>
      <tbody>${shown.slice(0, LISTED).map((change) => html`<${Change} key=${change.line} change=${change} />`)}</tbody>
    </table>
    ${shown.length > LISTED && html`<p class="soft">${t('csvMore', { n: shown.length - LISTED })}</p>`}`;
}

/** outcome: as the gateway answers an import, or a preview of one. */
export function Outcome({ outcome }) {
  const { preview, created, updated, unchanged, errors, changes, notes } = outcome;
  return html`
    <${Figures} outcome=${outcome} />
    ${preview && created + updated === unchanged && html`<p>${t('csvNothing')}</p>`}
    ${notes.map((note) => html`<p class="soft" key=${note}>${sentenceText(note)}</p>`)}
    ${errors.length > 0 && html`<${Errors} errors=${errors} />`}
    <${Changes} changes=${changes} preview=${preview} />`;
}
