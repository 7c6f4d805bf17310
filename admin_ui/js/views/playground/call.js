import { useEffect, useRef, useState } from '../../../vendor/preact/hooks.mjs';
import { play } from '../../api.js';
import { saidReader, together } from './said_text.js';

/** So much of an answer is shown; the rest is counted. */
export const MOST_SHOWN = 200_000;
const NOTHING = { text: '', thought: '' };

/** Reads an answer to its end and tells of it as it grows. */
async function follow({ fields, body }, begun, tell) {
  const type = fields.find(([name]) => name === 'content-type')?.[1] ?? '';
  const words = saidReader(type.includes('event-stream'));
  const decoder = new TextDecoder();
  const answer = { said: NOTHING, raw: '', length: 0 };
  const reader = body?.getReader();
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) {
    const text = decoder.decode(piece.value, { stream: true });
    answer.length += piece.value.length;
    answer.raw = answer.raw.length < MOST_SHOWN ? (answer.raw + text).slice(0, MOST_SHOWN) : answer.raw;
    answer.said = together(answer.said, words.take(text));
    tell({ ...answer, durationMs: performance.now() - begun });
  }
  answer.said = together(answer.said, words.end());
  tell({ ...answer, durationMs: performance.now() - begun, state: 'ended' });
}

/**
 * The call that is made from here. answer: null, or what came of it so far; its state is asking, coming, ended, stopped
 * or broken. error: why the gateway did not make it.
 */
export function useCall() {
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState(null);
  const running = useRef(null);
  const stop = () => running.current?.abort();
  useEffect(() => stop, []);
  const start = async (asked) => {
    const mine = running.current = new AbortController();
    const begun = performance.now();
    const tell = (news) => mine === running.current && setAnswer((old) => ({ ...old, ...news }));
    setError(null);
    setAnswer({ state: 'asking', said: NOTHING, raw: '', length: 0 });
    try {
      const given = await play(asked, mine.signal);
      const id = given.fields.find(([name]) => name === 'x-request-id')?.[1];
      tell({ state: 'coming', status: given.status, fields: given.fields, id, firstMs: performance.now() - begun });
      await follow(given, begun, tell);
    } catch (failure) {
      if (mine !== running.current) return;
      setAnswer((old) => (old.id ? { ...old, state: mine.signal.aborted ? 'stopped' : 'broken', durationMs: performance.now() - begun } : null));
      if (!mine.signal.aborted && failure.status !== undefined) setError(failure);
    }
  };
  const busy = answer?.state === 'asking' || answer?.state === 'coming';
  return { answer, error, busy, start, stop };
}
