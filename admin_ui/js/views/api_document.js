// The admin API as the gateway describes it: operations by group, with their fields and a command for each.
import { readDocument } from '../api.js';
import { Banner } from '../components/banner.js';
import { SearchField } from '../components/filters.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useReading } from '../reading.js';
import { useRoute } from '../route.js';
import { Operation } from './api_document/operation.js';

let known = null;
/** Asked for once: it is another one only after an upgrade of the gateway. */
const read = async () => (known ??= await readDocument());

function groupsOf({ paths }, q) {
  const wanted = q.toLowerCase();
  const groups = new Map();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, told] of Object.entries(operations)) {
      if (!`${method} ${path} ${told.summary}`.toLowerCase().includes(wanted)) continue;
      const [group] = told.tags;
      groups.set(group, [...(groups.get(group) ?? []), { method, path, told }]);
    }
  }
  // our own before those that stand elsewhere under other names
  const rank = ([group, [{ path }]]) => (path.startsWith('/api/') ? 0 : 1) + group;
  return [...groups].sort((one, other) => rank(one).localeCompare(rank(other)));
}

export function ApiDocument() {
  const { query: { q = '' } } = useRoute();
  const { data, problem } = useReading(read);
  const groups = data ? groupsOf(data, q) : [];
  return html`
    <section class="panel api-document">
      <div class="panel-head">
        <h1>${t('api')}</h1>
        <${SearchField} name="q" value=${q} label=${t('searchApi')} />
      </div>
      <p class="soft">${t('apiText')} <a href="/api/openapi.json">openapi.json</a></p>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && !groups.length && html`<p class="soft">${t('noOperations')}</p>`}
      ${groups.map(([group, operations]) => html`
        <section key=${group} aria-label=${`/${group}`}>
          <h2>${group}</h2>
          ${operations.map((one) => html`<${Operation} key=${`${one.method} ${one.path}`} operation=${one} schemas=${data.components.schemas} />`)}
        </section>`)}
    </section>`;
}
