import { useState } from '../../../vendor/preact/hooks.mjs';
import { CopyButton } from '../../components/copy.js';
import { bytes, duration } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { MOST_SHOWN } from './call.js';

const markOf = ({ state, status }) => (state === 'broken' ? 'bad' : state === 'stopped' ? '' : !status ? '' : status < 300 ? 'good' : status < 500 ? 'fair' : 'bad');

const Fact = ({ label, children }) => html`<div><dt>${label}</dt><dd>${children}</dd></div>`;

/** JSON with line breaks; anything else as it is. */
function readable(raw) {
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch {
    return raw;
  }
}

function Body({ answer: { said, raw, length, state } }) {
  const [shows, setShows] = useState('words');
  const hasWords = Boolean(said.text || said.thought);
  if (!length) return state === 'asking' || state === 'coming' ? null : html`<p class="soft">${t('playNoBody')}</p>`;
  const shown = hasWords ? shows : 'raw';
  return html`
    ${hasWords && html`
      <div class="segments" role="group" aria-label=${t('playShow')}>
        ${['words', 'raw'].map((kind) => html`<button type="button" key=${kind} aria-pressed=${shown === kind} onClick=${() => setShows(kind)}>${t(`play_shows_${kind}`)}</button>`)}
      </div>`}
    ${shown === 'words' && said.thought && html`<details class="thought"><summary>${t('playThought')}</summary><p class="words soft">${said.thought}</p></details>`}
    ${shown === 'words'
      ? html`<div class="said words" tabindex="0" role="region" aria-label=${t('answerText')}>${said.text}</div>`
      : html`<pre class="said" tabindex="0" role="region" aria-label=${t('play_shows_raw')}>${state === 'coming' ? raw : readable(raw)}</pre>`}
    ${raw.length >= MOST_SHOWN && html`<p class="hint">${t('playShownInPart')}</p>`}`;
}

/** What came back, as it comes. */
export function Answer({ answer }) {
  const { state, status, id, fields, firstMs, durationMs, length } = answer;
  return html`
    <section class="test-result play-result ${markOf(answer) === 'good' ? 'passed' : ''}" aria-label=${t('playAnswer')}>
      <h2><span class="state ${markOf(answer)}" role="status">${t(`play_${state}`)}</span> ${status ? html`<span class="soft">HTTP ${status}</span>` : ''}</h2>
      ${id && html`
        <dl class="figures">
          <${Fact} label=${t('firstByteTime')}>${duration(firstMs)}<//>
          <${Fact} label=${t('wholeTime')}>${duration(durationMs)}<//>
          <${Fact} label=${t('playLength')}>${bytes(length)}<//>
          <${Fact} label=${t('requestId')}><a href="#/logs/${id}"><code>${id}</code></a><${CopyButton} text=${id} label=${t('copyRequestId')} /><//>
        </dl>
        <details><summary>${t('answerFields', { n: fields.length })}</summary>
          <pre class="said">${fields.map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>
        </details>`}
      <${Body} answer=${answer} />
    </section>`;
}
