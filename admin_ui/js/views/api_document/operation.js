// One operation: what it takes, what it answers, and a command that makes it. It is drawn when it is opened.
import { useState } from '../../../vendor/preact/hooks.mjs';
import { CopyButton } from '../../components/copy.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { curlOf } from './curl.js';
import { boundsOf, rowsOf, typeOf } from './fields.js';

const shown = (value) => (value === '' ? '""' : typeof value === 'object' ? JSON.stringify(value) : String(value));

/** mark: what stands beside a name. */
function Row({ path, mark, schema, schemas }) {
  const bounds = boundsOf(schema, schemas);
  const facts = [bounds, schema.default !== undefined && schema.default !== null && t('apiDefault', { value: shown(schema.default) })].filter(Boolean);
  return html`
    <tr>
      <th scope="row"><code>${path}</code>${mark && html` <span class="badge">${mark}</span>`}</th>
      <td><code>${typeOf(schema, schemas)}</code>${facts.length > 0 && html` <span class="soft">${facts.join(', ')}</span>`}</td>
      <td>${schema.description}</td>
    </tr>`;
}

const Table = ({ rows, schemas, markOf }) => html`
  <table class="fields-table">
    <thead class="unseen"><tr><th scope="col">${t('apiField')}</th><th scope="col">${t('apiType')}</th><th scope="col">${t('apiMeaning')}</th></tr></thead>
    <tbody>${rows.map((row) => html`<${Row} key=${row.path} ...${row} mark=${markOf(row)} schemas=${schemas} />`)}</tbody>
  </table>`;

/** What is sent: a field that must be there says so. */
const Sent = ({ title, rows, schemas }) => rows.length > 0 && html`
  <h3>${title}</h3>
  <${Table} rows=${rows} schemas=${schemas} markOf=${({ needed }) => needed && t('apiNeeded')} />`;

const parameterRows = (parameters, place) =>
  parameters.filter((one) => one.in === place).map(({ name, required, schema, description }) => ({ path: name, needed: required, schema: { description, ...schema } }));

/** What comes back: a field that may be missing says so. */
function Answer({ status, response, schemas }) {
  const [[type, { schema }] = ['', {}]] = Object.entries(response.content ?? {});
  const rows = schema ? rowsOf(schema, schemas) : [];
  const title = t('apiAnswer', { status, type });
  if (!rows.length) return html`<h3>${title}</h3>`;
  return html`
    <details class="answer">
      <summary>${title}</summary>
      <${Table} rows=${rows} schemas=${schemas} markOf=${({ needed }) => !needed && t('apiLeftOut')} />
    </details>`;
}

function Told({ operation, schemas }) {
  const { told } = operation;
  const { parameters = [], requestBody, responses } = told;
  const body = requestBody?.content['application/json'];
  const curl = curlOf(operation);
  const answers = Object.entries(responses).filter(([status]) => status !== 'default');
  return html`
    <div class="told">
      ${told.description && html`<p>${told.description}</p>`}
      <div class="command"><pre>${curl}</pre><${CopyButton} text=${curl} label=${t('copy')} /></div>
      <${Sent} title=${t('apiPath')} rows=${parameterRows(parameters, 'path')} schemas=${schemas} />
      <${Sent} title=${t('apiQuery')} rows=${parameterRows(parameters, 'query')} schemas=${schemas} />
      <${Sent} title=${t('apiFields')} rows=${parameterRows(parameters, 'header')} schemas=${schemas} />
      <${Sent} title=${t('apiBody')} rows=${body ? rowsOf(body.schema, schemas) : []} schemas=${schemas} />
      ${answers.map(([status, response]) => html`<${Answer} key=${status} status=${status} response=${response} schemas=${schemas} />`)}
    </div>`;
}

export function Operation({ operation, schemas }) {
  const [open, setOpen] = useState(false);
  const { method, path, told } = operation;
  return html`
    <details class="operation" open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary><b class="method ${method}">${method.toUpperCase()}</b><code>${path}</code><span class="soft">${told.summary}</span></summary>
      ${open && html`<${Told} operation=${operation} schemas=${schemas} />`}
    </details>`;
}
