import { useLayoutEffect, useState } from '../vendor/preact/hooks.mjs';
import { toast } from './components/toasts.js';
import { problemText } from './problem.js';

/** Runs what a form is for, then onDone. error: why the server refused, until it does not; the field to blame gets the focus. */
export function useAction(run, onDone) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    try {
      await run();
      setError(null);
      onDone();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  useLayoutEffect(() => {
    if (error) document.querySelector('[aria-invalid="true"]')?.focus();
  }, [error]);
  return { error, setError, busy, start };
}

/** For what is done at once, without a dialog: says in passing that it was, or why not, and has the view read anew. */
export const doing = (load) => async (run, said) => {
  try {
    await run();
    toast(said);
  } catch (error) {
    toast(problemText(error), 'bad');
  }
  load();
};
