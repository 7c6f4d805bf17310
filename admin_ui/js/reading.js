import { useEffect, useRef, useState } from '../vendor/preact/hooks.mjs';
import { t } from './i18n.js';
import { usePoll } from './poll.js';
import { problemText } from './problem.js';

const POLL_MS = 5_000;

/**
 * What `read` answered last, asked anew every few seconds, and at once by load() and when `what` is another.
 * everyMs: how often, by what was answered. problem: why there is no newer answer, in words.
 */
export function useReading(read, what = '', everyMs = () => POLL_MS) {
  const [data, setData] = useState(null);
  const [error, setError] = useState(null);
  const newest = useRef(0);
  const load = async () => {
    const mine = ++newest.current;
    try {
      const answer = await read();
      // an answer that was overtaken by a later question is older than what is shown
      if (mine === newest.current) setData(answer);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  usePoll(load, everyMs(data));
  const asked = useRef(what);
  useEffect(() => {
    if (asked.current === what) return;
    asked.current = what;
    load();
  }, [what]);
  const problem = error && (error.status === 0 ? t('noAnswerRetrying') : problemText(error));
  return { data, problem, load };
}
