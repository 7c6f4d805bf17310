// The calls that have not ended.
import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { endActive, readActive } from '../../api.js';
import { Banner } from '../../components/banner.js';
import { Dialog } from '../../components/dialog.js';
import { NONE, bytes, duration, exact } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { useDialog } from '../../open_dialog.js';
import { problemText } from '../../problem.js';
import { useReading } from '../../reading.js';
import { Caller, LedTo } from './parts.js';

const MOST = 50;
const POLL_MS = 2_000;
const TICK_MS = 1_000;

function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function EndDialog({ call, onDone, onClose }) {
  const { error, busy, start } = useAction(() => endActive(call.id), onDone);
  return html`
    <${Dialog} danger title=${t('endCallTitle')} action=${t('endCall')} busy=${busy} onSubmit=${start} onClose=${onClose}
      problem=${error && (error.status === 404 ? t('callEnded') : problemText(error))}>
      <p>${t('endCallText')}</p>
      <p class="names"><code>${call.id}</code> ${call.model ?? call.mapping ?? ''} ${call.token ?? call.client ?? ''}</p>
    <//>`;
}

const Row = ({ call, now, onEnd }) => html`
  <tr>
    <th scope="row" class="stacked"><span>${duration(Math.max(0, Math.floor((now - call.started_at_ms) / TICK_MS) * TICK_MS))}</span></th>
    <td data-label=${t('state')}><span class="state ${call.state === 'streaming' ? 'good' : ''}">${t(`live_${call.state}`)}</span></td>
    <td class="stacked" data-label=${t('model')}>${call.model ? html`<code>${call.model}</code>` : html`<span class="soft">${NONE}</span>`}</td>
    <td class="stacked" data-label=${t('ledTo')}><${LedTo} row=${call} /></td>
    <td class="stacked" data-label=${t('caller')}><${Caller} row=${call} /></td>
    <td data-label=${t('gotSoFar')}>${bytes(call.bytes)}</td>
    <td data-label=${t('attempts')}>${exact(call.attempts)}</td>
    <td data-label=${t('process')} class="stacked"><code class="soft small-text">${call.process}</code></td>
    <td class="row-actions"><button type="button" class="risky" aria-label=${t('endCallNamed', { id: call.id.slice(0, 8) })} onClick=${onEnd}>${t('endCall')}</button></td>
  </tr>`;

const Table = ({ calls, onEnd }) => {
  const now = useNow();
  return html`
    <table class="logs-table live-table">
      <thead><tr>
        <th scope="col">${t('since')}</th><th scope="col">${t('state')}</th><th scope="col">${t('model')}</th><th scope="col">${t('ledTo')}</th>
        <th scope="col">${t('caller')}</th><th scope="col">${t('gotSoFar')}</th><th scope="col">${t('attempts')}</th><th scope="col">${t('process')}</th>
        <th scope="col"><span class="unseen">${t('actions')}</span></th>
      </tr></thead>
      <tbody>${calls.map((call) => html`<${Row} key=${call.id} call=${call} now=${now} onEnd=${() => onEnd(call)} />`)}</tbody>
    </table>`;
};

export function Live() {
  const { data, problem, load } = useReading(() => readActive(MOST), '', () => POLL_MS);
  const { dialog: ending, setDialog, close, changed } = useDialog(load);
  const count = data?.count ?? data?.active.length ?? 0;
  return html`
    <section class="panel channels live" aria-label=${t('liveCalls')}>
      <div class="panel-head">
        <h2>${t('liveCalls')} ${data && html`<small>${count > MOST ? t('liveSome', { n: MOST, all: count }) : exact(count)}</small>`}</h2>
        ${data && count === 0 && html`<span class="soft">${t('noLiveCalls')}</span>`}
      </div>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${data?.active.length > 0 && html`<${Table} calls=${data.active} onEnd=${setDialog} />`}
      ${ending && html`<${EndDialog} call=${ending} onDone=${() => changed(t('callWasEnded'))} onClose=${close} />`}
    </section>`;
}
