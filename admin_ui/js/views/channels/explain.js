import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { explain, readTokens } from '../../api.js';
import { Banner } from '../../components/banner.js';
import { Icon } from '../../components/icons.js';
import { Input, Select } from '../../components/input.js';
import { Tile } from '../../components/tile.js';
import { NONE, exact } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { problemText } from '../../problem.js';

const EXAMPLES = [
  ['/v1/chat/completions', '{"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}'],
  ['/v1/responses', '{"model": "gpt-5", "input": "Hi"}'],
  ['/v1/messages', '{"model": "claude-haiku-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}'],
  ['/v1beta/models/gemini-2.5-pro:generateContent', '{"contents": [{"parts": [{"text": "Hi"}]}]}'],
];

const ROUTES = { channels: 'routeChannels', local: 'routeLocal' };
const routeText = (route) => (ROUTES[route] ? t(ROUTES[route]) : t('routeMapping', { prefix: route }));

const excludedText = (reason) => (knows(`excluded_${reason}`) ? t(`excluded_${reason}`) : reason);

const Candidate = ({ row }) => html`
  <tr class=${row.excluded ? 'off' : ''}>
    <td class="rank">${row.rank ?? NONE}</td>
    <th scope="row"><span class="with-tile"><${Tile} name=${row.channel} /><b>${row.channel}</b></span></th>
    <td data-label=${t('verdict')}>
      ${row.excluded ? html`<span class="state fair">${excludedText(row.excluded)}</span>` : html`<span class="state good">${t('mayServe')}</span>`}
    </td>
    <td data-label=${t('priority')}>${exact(row.effective_priority)}
      ${row.penalty > 0 && html` <span class="soft small-text">${exact(row.priority)} − ${exact(Math.round(row.penalty * 100) / 100)}</span>`}</td>
    <td data-label=${t('weight')}>${exact(row.weight)}</td>
    <td data-label=${t('fitKeys')}>${exact(row.fit_keys)}</td>
  </tr>`;

const Fact = ({ label, text }) => text && html`<div><dt>${label}</dt><dd>${text}</dd></div>`;

function Explanation({ explanation }) {
  const { dialect, model, route, affinity, candidates, refused } = explanation;
  return html`
    <section class="explanation" aria-live="polite">
      <dl class="figures">
        <${Fact} label=${t('dialect')} text=${dialect && (knows(`dialect_${dialect}`) ? t(`dialect_${dialect}`) : dialect)} />
        <${Fact} label=${t('model')} text=${model && html`<code>${model}</code>`} />
        <${Fact} label=${t('route')} text=${route && routeText(route)} />
        <${Fact} label=${t('affinity')} text=${affinity && html`<code>${affinity}</code>`} />
      </dl>
      ${refused && html`<${Banner} kind="warn"><b>${refused.status} ${refused.code}</b> ${refused.message}<//>`}
      ${candidates.length > 0 && html`
        <table class="candidates-table">
          <thead><tr>
            <th scope="col">${t('rank')}</th><th scope="col">${t('channel')}</th><th scope="col">${t('verdict')}</th>
            <th scope="col">${t('priority')}</th><th scope="col">${t('weight')}</th><th scope="col">${t('fitKeys')}</th>
          </tr></thead>
          <tbody>${candidates.map((row) => html`<${Candidate} key=${row.channel_id} row=${row} />`)}</tbody>
        </table>
        <p class="hint">${t('rankHint')}</p>`}
      ${candidates.length === 0 && !refused && route === 'channels' && html`<p class="soft">${t('noCandidates')}</p>`}
    </section>`;
}

const MOST_TOKENS = 500;

/** [id, name] of the access tokens that there are; none until they are read. */
function useTokens() {
  const [tokens, setTokens] = useState([]);
  useEffect(() => {
    // without them it is explained for whoever may all
    readTokens({}, MOST_TOKENS).then(({ access_tokens: all }) => setTokens(all.map(({ id, name }) => [id, name])), () => {});
  }, []);
  return tokens;
}

/** Why a request would go where it would go; nothing is sent. */
export function Explain() {
  const [[path, body], setRequest] = useState(EXAMPLES[0]);
  const [tokenId, setTokenId] = useState('');
  const tokens = useTokens();
  const [explanation, setExplanation] = useState(null);
  const { error, busy, start } = useAction(
    async () => setExplanation(await explain({ method: 'POST', path: path.trim(), body, ...(tokenId && { token_id: tokenId }) })),
    () => {},
  );
  const wrong = (name) => error?.field === name && problemText(error);
  const submit = (event) => {
    event.preventDefault();
    if (!busy) start();
  };
  return html`
    <form class="panel channels explain" onSubmit=${submit} novalidate>
      <div class="panel-head">
        <h1 class="with-back"><a class="button bare-link" href="#/channels" aria-label=${t('backToChannels')} title=${t('backToChannels')}><${Icon} name="back" /></a>${t('explain')}</h1>
      </div>
      <p class="soft">${t('explainText')}</p>
      <div class="examples" role="group" aria-label=${t('examples')}>
        ${EXAMPLES.map((example) => html`<button type="button" class="bare small" key=${example[0]} onClick=${() => setRequest(example)}>${example[0]}</button>`)}
      </div>
      <${Input} name="path" label=${t('path')} text=${path} class="mono" wrong=${wrong('path')} onText=${(next) => setRequest([next, body])} />
      <${Input} name="body" label=${t('body')} text=${body} area rows=${4} class="mono" wrong=${wrong('body')} onText=${(next) => setRequest([path, next])} />
      ${tokens.length > 0 && html`
        <${Select} name="token" label=${t('accessToken')} value=${tokenId} onValue=${setTokenId} choices=${[['', t('anyToken')], ...tokens]} />`}
      ${error && !wrong('path') && !wrong('body') && html`<p class="problem" role="alert">${problemText(error)}</p>`}
      <button type="submit" class="primary" disabled=${busy}>${t('explainIt')}</button>
      ${explanation && html`<${Explanation} explanation=${explanation} />`}
    </form>`;
}
