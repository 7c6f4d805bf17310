// #/playground: a call as one of the access tokens, and what comes back, as it comes.
import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { readChannels, readTokens } from '../api.js';
import { Banner } from '../components/banner.js';
import { Check, Input, Select } from '../components/input.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { problemText } from '../problem.js';
import { Answer } from './playground/answer.js';
import { useCall } from './playground/call.js';
import { TEMPLATES, callOf, fieldsIn } from './playground/templates.js';

const MOST = 500;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The access tokens and channels that there are; null until they are read. */
function useKnown() {
  const [known, setKnown] = useState({ tokens: null, channels: [], error: null });
  useEffect(() => {
    Promise.all([readTokens({}, MOST), readChannels({}, MOST)]).then(
      ([{ access_tokens: tokens }, { channels }]) => setKnown({ tokens, channels, error: null }),
      (error) => setKnown((old) => ({ ...old, error })),
    );
  }, []);
  return known;
}

/** Names of models that channels of a dialect serve. */
const modelsOf = (channels, dialect) => {
  const serving = channels.filter(({ enabled, dialects }) => enabled && dialects.includes(dialect));
  return [...new Set(serving.flatMap(({ models }) => models.map(({ name }) => name)))].filter((name) => name !== '*');
};

const Templates = ({ chosen, onChoose }) => html`
  <div class="segments" role="group" aria-label=${t('playTemplates')}>
    ${TEMPLATES.map((template) => html`
      <button type="button" key=${template.name} aria-pressed=${template === chosen} onClick=${() => onChoose(template)}>${t(`play_${template.name}`)}</button>`)}
  </div>`;

const Request = ({ call, onChange, wrong }) => html`
  <details class="options play-request">
    <summary>${t('playRequest')} <code class="soft">${call.method} ${call.path}</code></summary>
    <div class="play-line">
      <${Select} name="method" label=${t('playMethod')} value=${call.method} onValue=${(method) => onChange({ method })} choices=${METHODS.map((name) => [name, name])} />
      <${Input} name="path" label=${t('path')} text=${call.path} class="mono" wrong=${wrong('path')} onText=${(path) => onChange({ path })} />
    </div>
    <${Input} name="headers" label=${t('playFields')} text=${call.fields} area rows=${2} class="mono" hint=${t('playFieldsHint')} wrong=${wrong('headers')} onText=${(fields) => onChange({ fields })} />
    <${Input} name="body" label=${t('body')} text=${call.body} area rows=${9} class="mono" wrong=${wrong('body')} onText=${(body) => onChange({ body })} />
  </details>`;

function Form({ tokens, channels, running }) {
  const { error, busy, start, stop } = running;
  const usable = tokens.filter(({ enabled }) => enabled);
  const [tokenId, setTokenId] = useState((usable[0] ?? tokens[0]).id);
  const [template, setTemplate] = useState(TEMPLATES[0]);
  const [asked, setAsked] = useState({ model: modelsOf(channels, TEMPLATES[0].dialect)[0] ?? TEMPLATES[0].model, text: t('playHello'), stream: true });
  const [call, setCall] = useState(() => callOf(template, asked.model, asked.text, asked.stream));
  const models = modelsOf(channels, template.dialect);
  /** What is typed above makes the request below anew. */
  const ask = (changes, next = template) => {
    const all = { ...asked, ...changes };
    setAsked(all);
    setCall(callOf(next, all.model, all.text, all.stream));
  };
  const choose = (next) => {
    setTemplate(next);
    const known = modelsOf(channels, next.dialect);
    ask({ model: known.includes(asked.model) ? asked.model : known[0] ?? next.model ?? asked.model }, next);
  };
  const wrong = (name) => {
    const [noun, ...rest] = (error?.field ?? '').split('.');
    return noun === name && problemText({ ...error, field: rest.length ? `${noun}.one` : noun, message: rest.join('.') }, 'playground');
  };
  const elsewhere = error && !['path', 'headers', 'body'].some((name) => wrong(name));
  const submit = (event) => {
    event.preventDefault();
    if (busy) stop();
    else start({ token_id: tokenId, method: call.method, path: call.path.trim(), headers: fieldsIn(call.fields), ...(call.body && { body: call.body }) });
  };
  useEffect(() => {
    if (!error?.field) return;
    document.querySelector('.play-request').open = true;
    document.querySelector('[aria-invalid="true"]')?.focus();
  }, [error]);
  return html`
    <form class="play" onSubmit=${submit} novalidate>
      <${Templates} chosen=${template} onChoose=${choose} />
      <div class="columns-2">
        <${Select} name="token" label=${t('accessToken')} value=${tokenId} onValue=${setTokenId}
          choices=${tokens.map(({ id, name, enabled }) => [id, enabled ? name : t('playDisabled', { name })])} />
        ${template.model && html`<${Input} name="model" label=${t('model')} text=${asked.model} list="play-models" onText=${(model) => ask({ model })} />`}
      </div>
      <datalist id="play-models">${models.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
      ${template.model && html`
        <${Input} name="text" label=${t('testText')} text=${asked.text} area rows=${3} onText=${(text) => ask({ text })} />
        <${Check} name="stream" label=${t('streamed')} checked=${asked.stream} onCheck=${(stream) => ask({ stream })} />`}
      <${Request} call=${call} wrong=${wrong} onChange=${(changes) => setCall({ ...call, ...changes })} />
      ${elsewhere && html`<p class="problem" role="alert">${problemText(error)}</p>`}
      <div class="play-actions">
        <button type="submit" class=${busy ? 'danger' : 'primary'}>${t(busy ? 'playStop' : 'playSend')}</button>
      </div>
    </form>`;
}

export function Playground() {
  const { tokens, channels, error } = useKnown();
  const running = useCall();
  return html`
    <section class="panel channels playground">
      <div class="panel-head"><h1>${t('playground')}</h1></div>
      <p class="soft">${t('playgroundText')}</p>
      ${error && html`<${Banner} kind="bad">${problemText(error)}<//>`}
      ${!tokens && !error && html`<p class="soft empty">${t('loading')}</p>`}
      ${tokens?.length === 0 && html`
        <div class="empty"><h2>${t('playNoTokens')}</h2><p class="soft">${t('playNoTokensText')}</p><p><a class="button primary" href="#/tokens">${t('tokens')}</a></p></div>`}
      ${tokens?.length > 0 && html`<${Form} tokens=${tokens} channels=${channels} running=${running} />`}
      ${running.answer && html`<${Answer} answer=${running.answer} />`}
    </section>`;
}
