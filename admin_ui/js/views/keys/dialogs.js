import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { changeKey, revealKey } from '../../api.js';
import { CopyButton } from '../../components/copy.js';
import { Dialog } from '../../components/dialog.js';
import { Input } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { modelsIn } from '../channels/form.js';

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
