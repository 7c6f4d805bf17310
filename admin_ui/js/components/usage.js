import { useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { CopyButton } from './copy.js';

const EXAMPLES = [
  {
    name: 'curl',
    prefix: '/openai',
    code: (base) => `curl ${base}/v1/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "gpt-4o-mini",
    "stream": true,
    "messages": [{"role": "user", "content": "Hello"}]
  }'`,
  },
  {
    name: 'OpenAI',
    prefix: '/openai',
    code: (base) => `from openai import OpenAI

client = OpenAI(
    base_url="${base}/v1",
    api_key="sk-...",
)
answer = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  },
  {
    name: 'Anthropic',
    prefix: '/claude',
    code: (base) => `from anthropic import Anthropic

client = Anthropic(
    base_url="${base}",
    api_key="sk-ant-...",
)
answer = client.messages.create(
    model="claude-sonnet-4-5",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`,
  },
  {
    name: 'Gemini',
    prefix: '/gemini',
    code: (base) => `from google import genai

client = genai.Client(
    api_key="AIza...",
    http_options={"base_url": "${base}"},
)
answer = client.models.generate_content(
    model="gemini-2.5-flash",
    contents="Hello",
)
print(answer.text)`,
  },
];

/** How to point a client here; only for prefixes that this gateway has. */
export function Usage({ prefixes }) {
  const [chosen, setChosen] = useState('curl');
  const examples = EXAMPLES.filter(({ prefix }) => prefixes.includes(prefix));
  if (examples.length === 0) return null;
  const { name, prefix, code } = examples.find((one) => one.name === chosen) ?? examples[0];
  const text = code(location.origin + prefix);
  return html`
    <section class="panel usage">
      <div class="panel-head">
        <h2>${t('usage')}</h2>
        <div class="segments" role="group" aria-label=${t('usage')}>
          ${examples.map((one) => html`
            <button type="button" aria-pressed=${one.name === name} onClick=${() => setChosen(one.name)}>${one.name}</button>`)}
        </div>
      </div>
      <p class="soft">${t('usageHint')}</p>
      <div class="code"><pre tabindex="0"><code>${text}</code></pre><${CopyButton} text=${text} label=${t('copy')} /></div>
    </section>`;
}
