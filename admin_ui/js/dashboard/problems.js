// The latest calls that failed, and what to do about each. Never what was said in them.
import { useState } from '../../vendor/preact/hooks.mjs';
import { CopyButton } from '../components/copy.js';
import { moment } from '../format.js';
import { html } from '../html.js';
import { knows, t } from '../i18n.js';

const FEW = 6;
const SHOWN_OF_ID = 8;

/** By its code, where that says more than its status. */
export function adviceFor({ code, status }) {
  const name = [`do_${code}`, `do_${status}`, `do_${Math.floor(status / 100)}xx`].find(knows);
  return name ? t(name) : t('doLook');
}

const Problem = ({ one }) => html`
  <tr>
    <td><time datetime=${new Date(one.at_ms).toISOString()}>${moment(one.at_ms)}</time></td>
    <td><code>${one.endpoint}</code></td>
    <td class="status-cell">${one.status}</td>
    <td><code>${one.code}</code></td>
    <td class="advice">${adviceFor(one)}</td>
    <td class="call-id">
      <a href=${`/admin#/logs/${one.request_id}`} title=${t('lookUp', { id: one.request_id })}><code>${one.request_id.slice(-SHOWN_OF_ID)}</code></a>
      <${CopyButton} text=${one.request_id} label=${t('copyId', { id: one.request_id })} />
    </td>
  </tr>`;

export function Problems({ problems, endpoint }) {
  const [isOpen, open] = useState(false);
  const fitting = problems.filter((one) => !endpoint || one.endpoint === endpoint);
  const shown = isOpen ? fitting : fitting.slice(0, FEW);
  return html`
    <section class="panel problems">
      <div class="panel-head"><h2>${t('problems')} <small>${endpoint || t('allEndpoints')}</small></h2></div>
      ${shown.length === 0
        ? html`<p class="soft">${t('noProblems')}</p>`
        : html`
          <table>
            <thead><tr>${['time', 'endpoint', 'statusCode', 'code', 'whatToDo', 'callId'].map((name) => html`<th key=${name} scope="col">${t(name)}</th>`)}</tr></thead>
            <tbody>${shown.map((one) => html`<${Problem} key=${one.request_id} one=${one} />`)}</tbody>
          </table>
          ${fitting.length > FEW && html`
            <button type="button" class="bare" aria-expanded=${isOpen} onClick=${() => open(!isOpen)}>${t(isOpen ? 'fewerProblems' : 'moreProblems', { n: fitting.length - FEW })}</button>`}`}
    </section>`;
}
