import { useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { addKeys } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { FileField } from '../../components/file_field.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { Refusal } from '../tasks/refusal.js';
import { Held, KeysField } from './field.js';
import { heldFile, typedFile } from './given.js';

const ACCEPTED = '.txt,.csv,.json,text/plain,text/csv,application/json';

/** Adds keys that are typed, or those of a file. Many are left to a task, which onOrdered is told of. */
export function ImportDialog({ id, onClose, onChanged, onOrdered }) {
  const [text, setText] = useState('');
  const [held, setHeld] = useState(null);
  const { error, setError, busy, start } = useAction(
    async () => {
      const { task, added, duplicates } = await addKeys(id, held ? held.content : typedFile(text));
      if (task) onOrdered(task);
      else onChanged([t('keysAdded', { n: added }), duplicates > 0 && t('keysDuplicate', { n: duplicates })].filter(Boolean).join(' · '));
    },
    () => {},
  );
  const change = (set) => (value) => {
    set(value);
    setError(null);
  };
  const choose = (file) => file && heldFile(file).then(change(setHeld), setError);
  const wrong = error?.field && problemText(error, 'keys');
  const tooLarge = error?.code === 'body_too_large';
  return html`
    <${Dialog} title=${t('addKeys')} action=${t(busy ? 'sending' : 'addKeys')} busy=${busy} problem=${error && !wrong && html`<${Refusal} error=${error} channelId=${id} />`}
      onSubmit=${start} onClose=${onClose}>
      ${held
        ? html`<${Held} name=${held.name} size=${held.content.size} count=${held.count} wrong=${wrong} onRemove=${() => change(setHeld)(null)} />`
        : html`
          <${KeysField} text=${text} rows=${10} autofocus hint=${t('keysHintAdd')} wrong=${!tooLarge && wrong} onText=${change(setText)} />
          <${FileField} name="file" label=${t('orFile')} accept=${ACCEPTED} hint=${t('keysFileHint')} wrong=${tooLarge && wrong} onFile=${choose} />`}
    <//>`;
}
