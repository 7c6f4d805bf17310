import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { addKeys, changeKey, changeKeys, revealKey } from '../../api.js';
import { CopyButton } from '../../components/copy.js';
import { Dialog } from '../../components/dialog.js';
import { Input } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { keysIn, modelsIn } from './form.js';

export function AddKeysDialog({ id, onClose, onChanged }) {
  const [text, setText] = useState('');
  const count = keysIn(text).length;
  const { error, busy, start } = useAction(
    async () => {
      const { added, duplicates } = await addKeys(id, text);
      onChanged(`${t('keysAdded', { n: added })}${duplicates > 0 ? ` · ${t('keysDuplicate', { n: duplicates })}` : ''}`);
    },
    () => {},
  );
  const wrong = error?.field && problemText(error);
  return html`
    <${Dialog} title=${t('addKeys')} action=${t('addKeys')} busy=${busy} problem=${error && !wrong && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <${Input} name="keys" label=${t('keys')} unit=${count > 0 ? t('keyCount', { n: count }) : ''} text=${text} area rows=${10} autofocus placeholder="sk-..."
        hint=${t('keysHintAdd')} wrong=${wrong} onText=${setText} />
    <//>`;
}

export function DeleteKeysDialog({ id, which, n, hint, onClose, onChanged }) {
  const { error, busy, start } = useAction(
    () => changeKeys(id, 'delete', which).then(({ changed }) => onChanged(t('keysDone_delete', { n: changed }))),
    () => {},
  );
  return html`
    <${Dialog} title=${hint ? t('deleteChannel', { name: hint }) : t('deleteKeys', { n })} action=${t('delete')} danger busy=${busy}
      problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <p>${t('deleteKeysText', { n })}</p>
    <//>`;
}

export function NoteDialog({ id, item, onClose, onChanged }) {
  const [note, setNote] = useState(item.note);
  const [models, setModels] = useState(item.models.join('\n'));
  const { error, busy, start } = useAction(
    () => changeKey(id, item.id, { note, models: modelsIn(models).map(({ name }) => name) }),
    () => onChanged(t('saved', { prefix: item.hint })),
  );
  const wrong = (name) => error?.field?.startsWith(name) && problemText(error);
  return html`
    <${Dialog} title=${t('editNamed', { prefix: item.hint })} action=${t('save')} busy=${busy} problem=${error && !wrong('note') && !wrong('models') && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <${Input} name="note" label=${t('note')} text=${note} area rows=${3} spellcheck=${true} autofocus wrong=${wrong('note')} onText=${setNote} />
      <${Input} name="models" label=${t('keyModels')} text=${models} area rows=${3} hint=${t('keyModelsHint')} wrong=${wrong('models')} onText=${setModels} />
    <//>`;
}

/** Asks for the key itself only once somebody wants to see it; that is audited. */
export function RevealDialog({ id, item, onClose }) {
  const [secret, setSecret] = useState('');
  const { error, busy, start } = useAction(() => revealKey(id, item.id).then(setSecret), () => {});
  useEffect(() => () => setSecret(''), []);
  return html`
    <${Dialog} title=${t('revealKey', { hint: item.hint })} action=${!secret && t('reveal')} leave=${t('close')} busy=${busy}
      problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      ${secret
        ? html`<div class="code"><pre tabindex="0"><code class="secret">${secret}</code></pre><${CopyButton} text=${secret} said=${item.hint} label=${t('copy')} /></div>`
        : html`<p>${t('revealText')}</p>`}
    <//>`;
}
