import { useEffect, useRef, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { testChannel } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { Check, Input, Select } from '../../components/input.js';
import { Cost, Tokens } from '../../components/used.js';
import { duration } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { outcomeText } from './state.js';

const Time = ({ label, ms }) => html`<div><dt>${label}</dt><dd>${duration(ms)}</dd></div>`;

function Result({ test }) {
  const fields = Object.entries(test.headers ?? {});
  const section = useRef();
  useEffect(() => section.current.scrollIntoView({ block: 'nearest' }), [test]);
  return html`
    <section class="test-result ${test.ok ? 'passed' : ''}" ref=${section}>
      <h3><span class="state ${test.ok ? 'good' : 'bad'}">${outcomeText(test.outcome)}</span> ${test.status ? html`<span class="soft">HTTP ${test.status}</span>` : ''}</h3>
      <dl class="figures">
        <${Time} label=${t('wholeTime')} ms=${test.duration_ms} />
        <${Time} label=${t('firstByteTime')} ms=${test.first_byte_ms} />
        <${Time} label=${t('firstContentTime')} ms=${test.first_content_ms} />
        <div><dt>${t('tokensInOut')}</dt><dd><${Tokens} usage=${test.usage} /></dd></div>
        <div><dt>${t('cost')}</dt><dd><${Cost} cost=${test.cost_usd} unpriced=${test.usage.source !== 'absent'} /></dd></div>
        ${test.model && html`<div><dt>${t('model')}</dt><dd><code>${test.model}</code></dd></div>`}
      </dl>
      ${test.error && html`<pre class="said error" tabindex="0" aria-label=${t('errorText')}>${test.error}</pre>`}
      ${test.text && html`<pre class="said" tabindex="0" aria-label=${t('answerText')}>${test.text}</pre>`}
      ${fields.length > 0 && html`
        <details><summary>${t('answerFields', { n: fields.length })}</summary>
          <pre class="said">${fields.map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>
        </details>`}
    </section>`;
}

const named = (models) => models.map(({ name }) => name).filter((name) => name !== '*');

/** Sends a real call through a channel, or through one key of it, and shows what came back. */
export function TestDialog({ channel, keyId = '', hint = '', onClose }) {
  const models = named(channel.models);
  const [model, setModel] = useState(channel.check_model || models[0] || '');
  const [dialect, setDialect] = useState(channel.dialects[0]);
  const [text, setText] = useState('');
  const [stream, setStream] = useState(true);
  const [test, setTest] = useState(null);
  const { error, busy, start } = useAction(async () => {
    setTest(null);
    const said = { model: model.trim(), dialect, stream, text: text.trim(), key_id: keyId };
    setTest(await testChannel(channel.id, Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ''))));
  }, () => {});
  const wrong = (name) => error?.field === name && problemText(error);
  const elsewhere = error && !['model', 'text'].includes(error.field);
  return html`
    <${Dialog} wide title=${hint ? t('testKey', { name: channel.name, hint }) : t('testNamed', { name: channel.name })} action=${t(busy ? 'testing' : 'sendTest')} leave=${t('close')}
      busy=${busy} problem=${elsewhere && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <div class="columns-2">
        <${Input} name="model" label=${t('model')} text=${model} list="test-models" wrong=${wrong('model')} autofocus onText=${setModel} />
        <${Select} name="dialect" label=${t('dialect')} value=${dialect} onValue=${setDialect} choices=${channel.dialects.map((name) => [name, t(`dialect_${name}`)])} />
      </div>
      <datalist id="test-models">${models.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
      <${Input} name="text" label=${t('testText')} text=${text} placeholder=${t('testTextUsual')} maxlength="10000" wrong=${wrong('text')} onText=${setText} />
      <${Check} name="stream" label=${t('streamed')} checked=${stream} onCheck=${setStream} />
      <p class="hint">${t('testHint')}</p>
      <div aria-live="polite">${test && html`<${Result} test=${test} />`}</div>
    <//>`;
}
