// #/audit: who changed what, and what it was before.
import { readAudit } from '../api.js';
import { Banner } from '../components/banner.js';
import { Choices, SearchField, TimeChoice } from '../components/filters.js';
import { PageFoot } from '../components/pages.js';
import { NONE, moment } from '../format.js';
import { html } from '../html.js';
import { knows, t } from '../i18n.js';
import { usePages } from '../pages.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { AUDIT_WORDS } from '../words/audit.js';
import { readable, shown } from './audit/diff.js';

const PAGE = 50;
const POLL_MS = 15_000;
const FILTERS = ['object', 'action', 'who', 'from_ms', 'to_ms'];
const LISTED = 8;

/** Those that the page has words for; the address may say others. */
const ACTS = Object.keys(AUDIT_WORDS).filter((name) => name.startsWith('act_')).map((name) => name.slice(4));

/** An operation of the API in words: those that have none as the API calls them, `add_channel`. */
const actionText = (action) => (knows(`act_${action}`) ? t(`act_${action}`) : action.replaceAll('_', ' '));

const Filters = ({ asked }) => html`
  <div class="filters" role="search">
    <${SearchField} name="object" value=${asked.object} label=${t('searchObject')} />
    <${Choices} name="action" value=${asked.action} label=${t('whatWasDone')} all=${t('allActs')} choices=${ACTS.map((action) => [action, actionText(action)])} />
    <${SearchField} name="who" value=${asked.who} label=${t('byWhom')} />
    <${TimeChoice} name="from_ms" ms=${asked.from_ms} label=${t('spanFrom')} />
    <${TimeChoice} name="to_ms" ms=${asked.to_ms} label=${t('spanTo')} />
  </div>`;

const Difference = ({ name, was, is }) => html`
  <div>
    <dt><code>${name || t('wholeValue')}</code></dt>
    ${was !== undefined && was !== null && html`<dd class="was"><span class="unseen">${t('before')}: </span><del>${shown(was)}</del></dd>`}
    ${is !== undefined && is !== null && html`<dd class="is"><span class="unseen">${t('after')}: </span><ins>${shown(is)}</ins></dd>`}
    ${(is === undefined || is === null) && (was === undefined || was === null) && html`<dd>${NONE}</dd>`}
  </div>`;

function Differences({ entry }) {
  const found = readable(entry.before ?? undefined, entry.after ?? undefined);
  if (!found.length) return html`<span class="soft">${NONE}</span>`;
  const listed = (some) => html`<dl class="diff">${some.map((one, i) => html`<${Difference} key=${i} ...${one} />`)}</dl>`;
  return html`
    ${listed(found.slice(0, LISTED))}
    ${found.length > LISTED && html`<details><summary class="soft small-text">${t('moreFields', { n: found.length - LISTED })}</summary>${listed(found.slice(LISTED))}</details>`}`;
}

const Row = ({ entry }) => html`
  <tr>
    <th scope="row"><time datetime=${new Date(entry.at_ms).toISOString()}>${moment(entry.at_ms)}</time></th>
    <td class="stacked" data-label=${t('whatWasDone')}><b>${actionText(entry.action)}</b><span>${entry.object}</span></td>
    <td data-label=${t('difference')}><${Differences} entry=${entry} /></td>
    <td data-label=${t('byWhom')}><code class="soft">${entry.who}</code></td>
  </tr>`;

const Table = ({ entries }) => html`
  <table class="audit-table">
    <thead><tr>
      <th scope="col">${t('when')}</th><th scope="col">${t('whatWasDone')}</th><th scope="col">${t('difference')}</th><th scope="col">${t('byWhom')}</th>
    </tr></thead>
    <tbody>${entries.map((entry, i) => html`<${Row} key=${entry.id ?? `${entry.at_ms} ${i}`} entry=${entry} />`)}</tbody>
  </table>`;

export function Audit() {
  const { query } = useRoute();
  const asked = Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? '']));
  const what = JSON.stringify(asked);
  const pages = usePages(what);
  const read = () => readAudit({ ...asked, after: pages.after, limit: PAGE });
  const { data, problem } = useReading(read, JSON.stringify([what, pages.after]), () => POLL_MS);
  const entries = data?.entries ?? [];
  const isFiltered = FILTERS.some((name) => asked[name]);
  return html`
    <section class="panel channels audit">
      <div class="panel-head"><h1>${t('audit')}</h1></div>
      <p class="soft">${t('auditText')}</p>
      <${Filters} asked=${asked} />
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data?.lost > 0 && html`<${Banner} kind="warn">${t('auditLost', { n: data.lost })}<//>`}
      ${entries.length > 0 && html`<${Table} entries=${entries} />`}
      ${data && entries.length === 0 && html`
        <div class="empty">
          <p class="soft">${t(isFiltered ? 'noActFits' : 'noActs')}</p>
          ${isFiltered && html`<button type="button" onClick=${() => changeQuery(Object.fromEntries(FILTERS.map((name) => [name, ''])))}>${t('clearFilters')}</button>`}
        </div>`}
      ${data && (pages.number > 0 || data.next) && html`<${PageFoot} pages=${pages} next=${data.next} />`}
    </section>`;
}
