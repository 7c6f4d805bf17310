import { useEffect, useState } from '../../../../vendor/preact/hooks.mjs';
import { useAction } from '../../../action.js';
import { importChannels } from '../../../api.js';
import { Dialog } from '../../../components/dialog.js';
import { FileField } from '../../../components/file_field.js';
import { html } from '../../../html.js';
import { t } from '../../../i18n.js';
import { checkSize } from '../../../limits_of_files.js';
import { problemText } from '../../../problem.js';
import { Outcome } from './outcome.js';

/** A file, shown as what it would change before it is taken. What was shown is what is taken: the file is read once. */
export function CsvImportDialog({ onClose, onChanged }) {
  const [file, setFile] = useState(null);
  const [read, setRead] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const preview = useAction(async () => {
    setOutcome(null);
    checkSize(file);
    const content = new Blob([await file.arrayBuffer()]);
    setOutcome(await importChannels(content, true));
    setRead(content);
  }, () => {});
  useEffect(() => {
    if (file) preview.start();
    else setOutcome(null);
  }, [file]);
  const take = useAction(async () => setOutcome(await importChannels(read, false)), () => {});

  const error = preview.error ?? take.error;
  const wrong = error?.field === 'file' && problemText(error, 'channels');
  const busy = preview.busy || take.busy;
  const due = outcome?.preview ? outcome.created + outcome.updated - outcome.unchanged : 0;
  const done = outcome && !outcome.preview;
  const close = () => (done ? onChanged(t('csvTaken', { created: outcome.created, updated: outcome.updated - outcome.unchanged })) : onClose());
  return html`
    <${Dialog} wide title=${t(done ? 'csvWasTaken' : 'importChannels')} action=${due > 0 && t(take.busy ? 'sending' : 'csvTake', { n: due })} busy=${busy}
      leave=${t(done || (outcome && due === 0) ? 'close' : 'cancel')} problem=${error && !wrong && problemText(error)} onSubmit=${take.start} onClose=${close}>
      ${!done && html`
        <${FileField} name="file" label=${t('csvFile')} file=${file} accept=".csv,.txt,text/csv,text/plain" hint=${t('csvHint')} wrong=${wrong} disabled=${busy} autofocus onFile=${setFile} />`}
      <div class="csv-outcome" aria-live="polite">
        ${preview.busy && html`<p class="soft">${t('csvReading')}</p>`}
        ${outcome && !preview.error && html`<${Outcome} outcome=${outcome} />`}
      </div>
    <//>`;
}
