// Calls to begin with, in each dialect.

const messages = (text) => [{ role: 'user', content: text }];

/** name: its word is `play_<name>`; dialect: whose channels know models for it; asks: what is sent. */
export const TEMPLATES = [
  {
    name: 'chat',
    dialect: 'openai',
    model: 'gpt-5-mini',
    asks: (model, text, stream) => ({ path: '/v1/chat/completions', body: { model, stream, messages: messages(text) } }),
  },
  {
    name: 'responses',
    dialect: 'responses',
    model: 'gpt-5-mini',
    asks: (model, text, stream) => ({ path: '/v1/responses', body: { model, stream, input: text } }),
  },
  {
    name: 'messages',
    dialect: 'anthropic',
    model: 'claude-haiku-5-5',
    fields: 'anthropic-version: 2023-06-01',
    asks: (model, text, stream) => ({ path: '/v1/messages', body: { model, max_tokens: 1024, stream, messages: messages(text) } }),
  },
  {
    name: 'gemini',
    dialect: 'gemini',
    model: 'gemini-3.8-flash',
    asks: (model, text, stream) => ({
      path: `/v1beta/models/${encodeURIComponent(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      body: { contents: [{ role: 'user', parts: [{ text }] }] },
    }),
  },
  { name: 'models', dialect: 'openai', method: 'GET', asks: () => ({ path: '/v1/models' }) },
];

/** The call that a template makes of what was typed. */
export function callOf({ method = 'POST', fields = '', asks }, model, text, stream) {
  const { path, body } = asks(model, text, stream);
  return { method, path, fields, body: body ? JSON.stringify(body, null, 2) : '' };
}

/** `name: value` lines as an object. */
export const fieldsIn = (text) =>
  Object.fromEntries(text.split('\n').filter((line) => line.trim()).map((line) => {
    const colon = line.indexOf(':');
    return colon < 0 ? [line.trim(), ''] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  }));
