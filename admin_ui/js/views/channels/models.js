import { useState } from '../../../vendor/preact/hooks.mjs';
import { fetchModels } from '../../api.js';
import { Input } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { modelsIn, upstreamOf } from './form.js';

const SEARCH_FROM = 12;

function Found({ names, text, onText, onClose }) {
  const [query, setQuery] = useState('');
  const there = new Set(modelsIn(text).map(({ name }) => name));
  const shown = names.filter((name) => name.toLowerCase().includes(query.trim().toLowerCase()));
  const fresh = shown.filter((name) => !there.has(name));
  const add = (more) => onText([text.trimEnd(), ...more].filter(Boolean).join('\n'));
  const remove = (name) => onText(text.split('\n').filter((line) => modelsIn(line)[0]?.name !== name).join('\n'));
  return html`
    <div class="found-models">
      <div class="found-head">
        <b>${t('modelsFound', { n: names.length })}</b>
        <button type="button" class="bare small" disabled=${fresh.length === 0} onClick=${() => add(fresh)}>${t('addAll', { n: fresh.length })}</button>
        <button type="button" class="bare small" onClick=${onClose}>${t('close')}</button>
      </div>
      ${names.length > SEARCH_FROM && html`
        <input type="search" value=${query} placeholder=${t('searchModels')} aria-label=${t('searchModels')} onInput=${(event) => setQuery(event.target.value)} />`}
      <ul>
        ${shown.map((name) => html`
          <li key=${name}><label class="check"><input type="checkbox" checked=${there.has(name)}
            onChange=${() => (there.has(name) ? remove(name) : add([name]))} /><code>${name}</code></label></li>`)}
      </ul>
    </div>`;
}

/** The list of models, and what the upstream itself says that it has. id: of a stored channel. */
export function Models({ id, form, known, error, onText }) {
  const [found, setFound] = useState(null);
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  const fetch = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const { models } = await fetchModels(id, upstreamOf(form, known));
      setFound(models);
    } catch (problem) {
      setFailure(problem);
    }
    setBusy(false);
  };
  const wrong = error?.field?.startsWith('models') && problemText(error);
  const count = modelsIn(form.models).length;
  return html`
    <div class="models-field">
      <${Input} name="models" label=${t('models')} unit=${count > 0 ? t('modelCount', { n: count }) : ''} text=${form.models} area rows=${Math.min(8, Math.max(3, count + 1))}
        placeholder=${'gpt-5\nfast -> gpt-5-mini'} hint=${t('modelsHint')} wrong=${wrong} onText=${onText} />
      <button type="button" class="bare small beside" disabled=${busy} onClick=${fetch}>${t(busy ? 'fetchingModels' : 'fetchModels')}</button>
      ${failure && html`
        <p class="problem" role="alert">${problemText(failure)}${failure.code === 'upstream_failed' && html`<br /><small>${failure.message}</small>`}</p>`}
      ${found && html`<${Found} names=${found} text=${form.models} onText=${onText} onClose=${() => setFound(null)} />`}
    </div>`;
}
