import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { readCall } from '../../api.js';
import { CopyButton } from '../../components/copy.js';
import { Dialog } from '../../components/dialog.js';
import { Cost, Tokens } from '../../components/used.js';
import { NONE, bytes, duration, exact, moment, usd } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { LedTo, Model, Outcome, Times } from './parts.js';

const Fact = ({ label, children }) => html`<div><dt>${label}</dt><dd>${children}</dd></div>`;

const COUNTS = ['input', 'cached', 'cache_write_5m', 'cache_write_1h', 'output', 'reasoning'];

function Usage({ request: { usage, cost_usd: cost, unpriced, price_version: version } }) {
  if (usage.source === 'absent') return html`<p class="soft">${t('usageAbsent')}</p>`;
  const told = COUNTS.filter((name) => usage[name] !== null);
  return html`
    <dl class="figures">
      ${told.map((name) => html`<${Fact} key=${name} label=${t(`usage_${name}`)}>${exact(usage[name])}<//>`)}
      ${Object.entries(usage.other).map(([name, value]) => html`
        <${Fact} key=${name} label=${knows(`usage_${name}`) ? t(`usage_${name}`) : name}>${typeof value === 'number' ? exact(value) : value}<//>`)}
      <${Fact} label=${t('cost')}>${cost !== null ? html`<span title=${version}>${usd(cost)}</span>` : unpriced ? t('unpriced') : NONE}<//>
    </dl>
    ${usage.source === 'estimated' && html`<p class="soft small-text">${t('usage_estimated')}</p>`}`;
}

const Attempt = ({ row }) => html`
  <tr class=${row.final ? 'selected' : ''} title=${row.final ? t('finalMark') : null}>
    <td class="rank">${row.attempt || NONE}</td>
    <th scope="row" class="stacked"><${LedTo} row=${row} /></th>
    <td class="stacked" data-label=${t('outcome')}><${Outcome} row=${row} /></td>
    <td data-label=${t('times')}><${Times} row=${row} /></td>
    <td class="stacked" data-label=${t('tokensInOut')}><${Tokens} usage=${row.usage} /></td>
    <td data-label=${t('cost')}><${Cost} cost=${row.cost_usd} unpriced=${row.unpriced} /></td>
  </tr>`;

const Attempts = ({ rows }) => html`
  <table class="attempts-table">
    <thead><tr>
      <th scope="col">${t('rank')}</th><th scope="col">${t('ledTo')}</th><th scope="col">${t('outcome')}</th>
      <th scope="col">${t('times')}</th><th scope="col">${t('tokensInOut')}</th><th scope="col">${t('cost')}</th>
    </tr></thead>
    <tbody>${rows.map((row) => html`<${Attempt} key=${row.id} row=${row} />`)}</tbody>
  </table>`;

const Facts = ({ request }) => html`
  <dl class="figures">
    <${Fact} label=${t('outcome')}><span class="stacked"><${Outcome} row=${request} /></span><//>
    <${Fact} label=${t('began')}>${moment(request.at_ms)}<//>
    <${Fact} label=${t('wholeTime')}>${duration(request.duration_ms)}<//>
    <${Fact} label=${t('firstByteTime')}>${duration(request.first_byte_ms)}<//>
    ${request.first_content_ms !== null && html`<${Fact} label=${t('firstContentTime')}>${duration(request.first_content_ms)}<//>`}
    <${Fact} label=${t('path')}><code>${request.method} ${request.path ?? request.mapping ?? ''}</code><//>
    ${request.model && html`<${Fact} label=${t('model')}><span class="stacked"><${Model} row=${request} /></span><//>`}
    <${Fact} label=${t('caller')}><code>${request.client ?? NONE}</code><//>
    ${request.token && html`<${Fact} label=${t('accessToken')}>${request.token}<//>`}
    ${request.user_agent && html`<${Fact} label=${t('userAgent')}>${request.user_agent}<//>`}
    <${Fact} label=${t('bodies')}>${bytes(request.request_bytes)} / ${bytes(request.response_bytes)}<//>
    <${Fact} label=${t('requestId')}><code>${request.request_id}</code><${CopyButton} text=${request.request_id} label=${t('copyRequestId')} /><//>
    ${request.trace_id && html`<${Fact} label=${t('traceId')}><code>${request.trace_id}</code><//>`}
  </dl>`;

/** One call: how it went for its caller, what it used, and each attempt. */
export function CallDialog({ id, onClose }) {
  const [call, setCall] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    readCall(id).then(setCall, setError);
  }, [id]);
  const problem = error && (error.status === 404 ? t('callGone') : problemText(error));
  return html`
    <${Dialog} wide title=${t('callTitle', { id: id.slice(0, 8) })} leave=${t('close')} problem=${problem} onSubmit=${onClose} onClose=${onClose}>
      <div class="call" aria-live="polite">
        ${call && html`
          <${Facts} request=${call.request} />
          <h3>${t('attempts')}</h3>
          <${Attempts} rows=${call.attempts} />
          <h3>${t('usageParts')}</h3>
          <${Usage} request=${call.request} />`}
        ${!call && !error && html`<p class="soft empty">${t('loading')}</p>`}
      </div>
    <//>`;
}
