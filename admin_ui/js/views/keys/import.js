import { useMemo, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { addKeys } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { FileField } from '../../components/file_field.js';
import { Input } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { Refusal } from '../tasks/refusal.js';
import { countIn, fileOf } from './given.js';

/** Adds keys that are typed, or those of a file. Many are left to a task, which onOrdered is told of. */
export function ImportDialog({ id, onClose, onChanged, onOrdered }) {
  const [text, setText] = useState('');
  const [file, setFile] = useState(null);
  const count = useMemo(() => countIn(text), [text]);
  const { error, busy, start } = useAction(
    async () => {
      const { task, added, duplicates } = await addKeys(id, fileOf(text, file));
      if (task) onOrdered(task);
      else onChanged([t('keysAdded', { n: added }), duplicates > 0 && t('keysDuplicate', { n: duplicates })].filter(Boolean).join(' · '));
    },
    () => {},
  );
  const wrong = error?.field && problemText(error, 'keys');
  return html`
    <${Dialog} title=${t('addKeys')} action=${t(busy ? 'sending' : 'addKeys')} busy=${busy} problem=${error && !wrong && html`<${Refusal} error=${error} channelId=${id} />`}
      onSubmit=${start} onClose=${onClose}>
      ${!file && html`
        <${Input} name="keys" label=${t('keys')} unit=${count > 0 ? t('keyCount', { n: count }) : ''} text=${text} area rows=${10} autofocus placeholder="sk-..."
          hint=${t('keysHintAdd')} wrong=${wrong} onText=${setText} />`}
      <${FileField} name="file" label=${t(file ? 'keysFile' : 'orFile')} file=${file} accept=".txt,.csv,.json,text/plain,text/csv,application/json"
        hint=${t('keysFileHint')} wrong=${file && wrong} onFile=${setFile} />
    <//>`;
}
