import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { readCall } from '../../api.js';
import { CopyButton } from '../../components/copy.js';
import { Dialog } from '../../components/dialog.js';
import { Cost, Tokens } from '../../components/used.js';
import { NONE, bytes, duration, exact, moment, usd } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { blameOf } from './blame.js';
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

/** Why the gateway did not leave it at this attempt, or that it did. */
function wentOn(row, next) {
  if (row.final) return t('finalMark');
  if (!next) return '';
  const asked = next.channel_id !== row.channel_id ? t('askedChannel') : next.key_id !== row.key_id ? t('askedKey') : t('askedAgain');
  return `${t(`blames_${blameOf(row.outcome)}`)} ${asked}`;
}

const Attempt = ({ row, next }) => html`
  <li class=${row.final ? 'final' : ''}>
    <p class="attempt-head"><b class="rank">${row.attempt || NONE}</b> <${LedTo} row=${row} /></p>
    <p class="stacked"><${Outcome} row=${row} /></p>
    <p class="attempt-figures soft small-text">
      <span>${t('times')}: <${Times} row=${row} /></span>
      ${row.usage.source !== 'absent' && html`<span>${t('tokensInOut')}: <${Tokens} usage=${row.usage} /></span>`}
      ${row.cost_usd !== null && html`<span>${t('cost')}: <${Cost} cost=${row.cost_usd} unpriced=${row.unpriced} /></span>`}
    </p>
    <p class="went-on">${wentOn(row, next)}</p>
  </li>`;

const Attempts = ({ rows }) => html`
  <ol class="attempts">${rows.map((row, i) => html`<${Attempt} key=${row.id} row=${row} next=${rows[i + 1]} />`)}</ol>`;

const Body = ({ body, label }) => html`
  <h4>${label} <small class="soft">${body.content_type} · ${bytes(body.bytes)}${body.is_cut ? ` · ${t('bodyCut')}` : ''}</small></h4>
  ${body.text === null ? html`<p class="soft">${t('bodyNoText')}</p>` : html`<pre class="said" tabindex="0" role="region" aria-label=${label}>${body.text}</pre>`}`;

/** What was sent and got, for a while. */
const Bodies = ({ bodies }) => html`
  <h3>${t('keptBodies')} <small class="soft">${t('keptUntil', { when: moment(bodies.kept_until_ms) })}</small></h3>
  <${Body} body=${bodies.request} label=${t('bodySent')} />
  <${Body} body=${bodies.answer} label=${t('bodyGot')} />`;

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
    <${Dialog} drawer title=${t('callTitle', { id: id.slice(0, 8) })} leave=${t('close')} problem=${problem} onSubmit=${onClose} onClose=${onClose}>
      <div class="call" aria-live="polite">
        ${call && html`
          <${Facts} request=${call.request} />
          <h3>${t('attempts')}</h3>
          <${Attempts} rows=${call.attempts} />
          <h3>${t('usageParts')}</h3>
          <${Usage} request=${call.request} />
          ${call.bodies && html`<${Bodies} bodies=${call.bodies} />`}`}
        ${!call && !error && html`<p class="soft empty">${t('loading')}</p>`}
      </div>
    <//>`;
}
