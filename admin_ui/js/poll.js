import { useEffect, useRef } from '../vendor/preact/hooks.mjs';

/** Runs an async task (which must not throw) now, and again `everyMs` after it ended; rests while the tab is hidden. */
export function usePoll(task, everyMs) {
  const latest = useRef(task);
  latest.current = task;
  useEffect(() => {
    let timer = 0;
    let running = false;
    let ended = false;
    const run = async () => {
      clearTimeout(timer);
      if (running || document.hidden) return;
      running = true;
      await latest.current();
      running = false;
      if (!ended) timer = setTimeout(run, everyMs);
    };
    document.addEventListener('visibilitychange', run);
    run();
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', run);
    };
  }, [everyMs]);
}
