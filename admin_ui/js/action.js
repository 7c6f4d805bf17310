import { useState } from '../vendor/preact/hooks.mjs';
import { problemText } from './problem.js';

/** Runs what a form is for, then onDone; keeps the server's words when it refuses. */
export function useAction(run, onDone) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    try {
      await run();
      setError('');
      onDone();
    } catch (failure) {
      setError(problemText(failure));
    }
    setBusy(false);
  };
  return { error, setError, busy, start };
}
