// The words of a model in an answer, in whichever dialect it comes, whole or as a stream of events.

const KINDS = ['text', 'thought'];

const ofGemini = (json) =>
  (json.candidates ?? []).flatMap(({ content }) => content?.parts ?? []).map(({ text, thought }) => [thought ? 'thought' : 'text', text]);

const ofOpenAi = (json) =>
  (json.choices ?? []).flatMap(({ delta, message }) => {
    const said = delta ?? message ?? {};
    return [['thought', said.reasoning_content ?? said.reasoning], ['text', said.content]];
  });

const ofAnthropic = ({ delta, content, type }) => {
  if (type === 'content_block_delta') return [['thought', delta?.thinking], ['text', delta?.text]];
  return Array.isArray(content) ? content.flatMap((block) => [['thought', block.thinking], ['text', block.text]]) : [];
};

const ofResponses = ({ type, delta, output }) => {
  if (type === 'response.output_text.delta') return [['text', delta]];
  if (type?.startsWith('response.reasoning') && type.endsWith('.delta')) return [['thought', delta]];
  return Array.isArray(output) ? output.flatMap(({ content }) => content ?? []).map(({ text }) => ['text', text]) : [];
};

/** Pairs of a kind and a text. */
const piecesIn = (json) => [ofOpenAi, ofGemini, ofAnthropic, ofResponses].flatMap((read) => read(json)).filter(([, text]) => typeof text === 'string');

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Reads an answer as it comes: `take` more of it, then `end`. Both give what is new: {text, thought}. */
export function saidReader(isStream) {
  let rest = '';
  const said = (documents) => {
    const found = { text: '', thought: '' };
    for (const json of documents) {
      if (json && typeof json === 'object') piecesIn(json).forEach(([kind, text]) => { found[kind] += text; });
    }
    return found;
  };
  const take = (piece) => {
    rest += piece;
    if (!isStream) return said([]);
    const lines = rest.split(/\r\n|\n|\r/);
    rest = lines.pop();
    return said(lines.filter((line) => line.startsWith('data:')).map((line) => parsed(line.slice(5))));
  };
  const end = () => {
    const last = isStream ? parsed(rest.replace(/^data:/, '')) : parsed(rest);
    return said(Array.isArray(last) ? last : [last]);
  };
  return { take, end };
}

export const together = (one, other) => Object.fromEntries(KINDS.map((kind) => [kind, one[kind] + other[kind]]));
