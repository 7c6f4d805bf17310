// What to paste where, so that a client calls this gateway with an access token.
import { useState } from '../../../vendor/preact/hooks.mjs';
import { CopyButton } from '../../components/copy.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';

/** Stands for a secret that nobody here knows. */
export const PLACE = 'sk-gw-...';

// Each: which dialect it speaks, a model of that dialect where none is known, and the texts, each with where it goes.
const CLIENTS = [
  {
    name: 'Claude Code',
    dialect: 'anthropic',
    texts: ({ here, secret }) => [['shell', `export ANTHROPIC_BASE_URL=${here}
export ANTHROPIC_AUTH_TOKEN=${secret}
claude`]],
  },
  {
    name: 'Codex',
    dialect: 'responses',
    model: 'gpt-5',
    texts: ({ here, secret, model }) => [
      ['~/.codex/config.toml', `model = ${JSON.stringify(model)}
model_provider = "gateway"

[model_providers.gateway]
name = "gateway"
base_url = "${here}/v1"
env_key = "GATEWAY_TOKEN"
wire_api = "responses"`],
      ['shell', `export GATEWAY_TOKEN=${secret}
codex`],
    ],
  },
  {
    name: 'Gemini CLI',
    dialect: 'gemini',
    texts: ({ here, secret }) => [['shell', `export GOOGLE_GEMINI_BASE_URL=${here}
export GEMINI_API_KEY=${secret}
gemini`]],
  },
  {
    name: 'OpenAI SDK',
    dialect: 'openai',
    model: 'gpt-5',
    texts: ({ here, secret, model }) => [['Python', `from openai import OpenAI

client = OpenAI(base_url="${here}/v1", api_key="${secret}")
answer = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`]],
  },
  {
    name: 'Anthropic SDK',
    dialect: 'anthropic',
    model: 'claude-haiku-5-5',
    texts: ({ here, secret, model }) => [['Python', `from anthropic import Anthropic

client = Anthropic(base_url="${here}", api_key="${secret}")
answer = client.messages.create(
    model=${JSON.stringify(model)},
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`]],
  },
  {
    name: 'Gemini SDK',
    dialect: 'gemini',
    model: 'gemini-3.8-flash',
    texts: ({ here, secret, model }) => [['Python', `from google import genai

client = genai.Client(api_key="${secret}", http_options={"base_url": "${here}"})
answer = client.models.generate_content(model=${JSON.stringify(model)}, contents="Hello")
print(answer.text)`]],
  },
  {
    name: 'curl',
    dialect: 'openai',
    model: 'gpt-5',
    texts: ({ here, secret, model }) => [['shell', `curl ${here}/v1/chat/completions \\
  -H "Authorization: Bearer ${secret}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": ${inQuotes(JSON.stringify(model))}, "messages": [{"role": "user", "content": "Hello"}]}'`]],
  },
];

/** As it stands within '...' of a shell. */
const inQuotes = (text) => text.replaceAll("'", String.raw`'\''`);

const enabledOf = (channels, dialect) => channels.filter((channel) => channel.enabled && channel.dialects.includes(dialect));

/** One that is served here, so that what is pasted works. */
const modelOf = (channels, otherwise) => channels.flatMap(({ models }) => models).find(({ name }) => name !== '*')?.name ?? otherwise;

const Text = ({ client, where, text }) => html`
  <div class="lines-text">
    <span class="soft small-text">${where === 'shell' ? t('inShell') : where}</span>
    <div class="code"><pre tabindex="0"><code>${text}</code></pre><${CopyButton} text=${text} said=${client} label=${t('copyFor', { client })} /></div>
  </div>`;

/** channels: those of the gateway, by which it is told what would not be served yet. */
export function Lines({ secret, channels }) {
  const [chosen, setChosen] = useState(CLIENTS[0].name);
  const { name, dialect, model, texts } = CLIENTS.find((client) => client.name === chosen);
  const serving = enabledOf(channels, dialect);
  const said = { here: location.origin, secret, model: modelOf(serving, model) };
  return html`
    <section class="lines">
      <div class="segments" role="group" aria-label=${t('client')}>
        ${CLIENTS.map((client) => html`
          <button type="button" key=${client.name} aria-pressed=${client.name === chosen} onClick=${() => setChosen(client.name)}>${client.name}</button>`)}
      </div>
      ${texts(said).map(([where, text]) => html`<${Text} key=${where} client=${name} where=${where} text=${text} />`)}
      ${serving.length === 0 && html`<p class="hint">${t('nobodySpeaks', { client: name, dialect: t(`dialect_${dialect}`) })}</p>`}
    </section>`;
}
