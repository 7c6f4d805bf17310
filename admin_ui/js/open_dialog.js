import { useState } from '../vendor/preact/hooks.mjs';
import { toast } from './components/toasts.js';

/** The dialog that a view has open, or null. close() shuts it and has the view read anew; changed() also says what was done. */
export function useDialog(load) {
  const [dialog, setDialog] = useState(null);
  const close = () => {
    setDialog(null);
    load();
  };
  const changed = (said) => {
    close();
    toast(said);
  };
  return { dialog, setDialog, close, changed };
}
