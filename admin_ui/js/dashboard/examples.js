// First calls that run as they are pasted; without a key of the reader's the upstream refuses them, which is a call, too.
import { useState } from '../../vendor/preact/hooks.mjs';
import { CopyButton } from '../components/copy.js';
import { html } from '../html.js';
import { t } from '../i18n.js';

/** Which dialect is spoken there, where that is sure. Calls to channels go to the gateway's own address. */
const DIALECTS = {
  '/openai': 'openai', '/claude': 'anthropic', '/gemini': 'gemini', '/v1': 'openai', '/v1/messages': 'anthropic', '/v1/responses': 'responses',
  '/v1beta': 'gemini',
};
const OF_CHANNELS = ['/v1', '/v1/messages', '/v1/responses', '/v1beta'];

const baseOf = (endpoint) => location.origin + (OF_CHANNELS.includes(endpoint) ? '' : endpoint);
// what a shell or Python would read otherwise in a prefix that somebody chose
const quoted = (address) => address.replaceAll("'", '%27').replaceAll('"', '%22').replaceAll('\\', '%5C');

const CURL = {
  openai: (base) => `curl '${base}/v1/chat/completions' \\
  -H "Authorization: Bearer \${OPENAI_API_KEY:-sk-your-key}" \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello"}]}'`,
  responses: (base) => `curl '${base}/v1/responses' \\
  -H "Authorization: Bearer \${OPENAI_API_KEY:-sk-your-key}" \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "gpt-5.4-mini", "input": "Hello"}'`,
  anthropic: (base) => `curl '${base}/v1/messages' \\
  -H "x-api-key: \${ANTHROPIC_API_KEY:-sk-ant-your-key}" \\
  -H 'anthropic-version: 2023-06-01' \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "claude-haiku-5-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]}'`,
  gemini: (base) => `curl '${base}/v1beta/models/gemini-3.8-flash:generateContent' \\
  -H "x-goog-api-key: \${GEMINI_API_KEY:-your-key}" \\
  -H 'Content-Type: application/json' \\
  -d '{"contents": [{"parts": [{"text": "Hello"}]}]}'`,
};

const SDK = {
  openai: (base) => `# pip install openai
import os
from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key=os.environ.get("OPENAI_API_KEY", "sk-your-key"))
answer = client.chat.completions.create(
    model="gpt-5.4-mini",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  anthropic: (base) => `# pip install anthropic
import os
from anthropic import Anthropic

client = Anthropic(base_url="${base}", api_key=os.environ.get("ANTHROPIC_API_KEY", "sk-ant-your-key"))
answer = client.messages.create(
    model="claude-haiku-5-5",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`,
  gemini: (base) => `# pip install google-genai
import os
from google import genai

client = genai.Client(
    api_key=os.environ.get("GEMINI_API_KEY", "your-key"),
    http_options={"base_url": "${base}"},
)
answer = client.models.generate_content(model="gemini-3.8-flash", contents="Hello")
print(answer.text)`,
};

const withPath = (base) => `curl -i '${base}/'`;
const speaks = (dialect) => (endpoint) => DIALECTS[endpoint] === dialect;
const TABS = [
  { name: 'curl', fits: () => true, code: (endpoint) => (CURL[DIALECTS[endpoint]] ?? withPath)(quoted(baseOf(endpoint))) },
  ...[['OpenAI SDK', 'openai'], ['Anthropic SDK', 'anthropic'], ['Gemini SDK', 'gemini']].map(([name, dialect]) => ({
    name, fits: speaks(dialect), code: (endpoint) => SDK[dialect](quoted(baseOf(endpoint))),
  })),
];
const familiarFirst = (endpoints) => [...new Set([...Object.keys(DIALECTS).filter((one) => endpoints.includes(one)), ...endpoints])];

/** How to point a client here: what to paste, for the endpoints that there are. */
export function Examples({ endpoints }) {
  const [chosen, setChosen] = useState(TABS[0].name);
  const [wanted, setWanted] = useState('');
  if (endpoints.length === 0) return html`<p class="soft">${t('noEndpoints')}</p><a class="button primary" href="/admin">${t('openAdmin')}</a>`;
  const tabs = TABS.filter(({ fits }) => endpoints.some(fits));
  const tab = tabs.find(({ name }) => name === chosen) ?? tabs[0];
  const fitting = familiarFirst(endpoints.filter(tab.fits));
  const endpoint = fitting.includes(wanted) ? wanted : fitting[0];
  const text = tab.code(endpoint);
  return html`
    <div class="examples">
      <div class="panel-head">
        <div class="segments" role="group" aria-label=${t('usage')}>
          ${tabs.map(({ name }) => html`
            <button key=${name} type="button" aria-pressed=${name === tab.name} onClick=${() => setChosen(name)}>${name}</button>`)}
        </div>
        ${fitting.length > 1 && html`
          <select aria-label=${t('endpoint')} value=${endpoint} onChange=${(event) => setWanted(event.target.value)}>
            ${fitting.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
          </select>`}
      </div>
      <div class="code"><pre tabindex="0" role="region" aria-label=${tab.name}><code>${text}</code></pre><${CopyButton} text=${text} label=${t('copy')} /></div>
      <p class="soft">${t(OF_CHANNELS.includes(endpoint) ? 'keyIsToken' : 'keyIsYours')}</p>
    </div>`;
}
