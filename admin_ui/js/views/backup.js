// #/backup: all that the operator said, as a file; and back, after a look at what that would change.
import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { useAction } from '../action.js';
import { readBackup, restore } from '../api.js';
import { Dialog } from '../components/dialog.js';
import { FileField } from '../components/file_field.js';
import { Check, Input } from '../components/input.js';
import { toast } from '../components/toasts.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { problemText } from '../problem.js';
import { saveFile } from '../save_file.js';
import { Changes, changesNothing } from './backup/changes.js';

const SHORTEST = 8;

const Passphrase = ({ name, label, text, onText, wrong, hint }) => html`
  <${Input} name=${name} type="password" autocomplete="new-password" label=${label} text=${text} onText=${onText} wrong=${wrong} hint=${hint} />`;

const bytesIn = (text) => new TextEncoder().encode(text).length;

function Make() {
  const [withSecrets, setWithSecrets] = useState(true);
  const [passphrase, setPassphrase] = useState('');
  const [again, setAgain] = useState('');
  const [tried, setTried] = useState(false);
  const { error, busy, start } = useAction(async () => {
    saveFile(await readBackup(withSecrets ? passphrase : ''));
  }, () => toast(t('backupMade')));
  const tooShort = withSecrets && bytesIn(passphrase) < SHORTEST;
  const differs = withSecrets && !tooShort && passphrase !== again;
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (!busy && !tooShort && !differs) start();
  };
  return html`
    <form class="panel channels backup" onSubmit=${submit} novalidate>
      <h2>${t('makeBackup')}</h2>
      <p class="soft">${t('makeBackupText')}</p>
      <${Check} name="secrets" label=${t('backupSecrets')} checked=${withSecrets} onCheck=${setWithSecrets} />
      ${withSecrets
        ? html`
          <div class="columns-2">
            <${Passphrase} name="passphrase" label=${t('passphrase')} text=${passphrase} onText=${setPassphrase} hint=${t('passphraseHint')} wrong=${tried && tooShort && t('passphraseShort', { n: SHORTEST })} />
            <${Passphrase} name="again" label=${t('passphraseAgain')} text=${again} onText=${setAgain} wrong=${tried && differs && t('passphraseDiffers')} />
          </div>`
        : html`<p class="hint">${t('withoutSecretsHint')}</p>`}
      ${error && html`<p class="problem" role="alert">${problemText(error)}</p>`}
      <button type="submit" class="primary" disabled=${busy}>${t(busy ? 'makingBackup' : 'downloadBackup')}</button>
    </form>`;
}

const RestoreDialog = ({ take, onClose }) => html`
  <${Dialog} danger title=${t('restoreTitle')} action=${t(take.busy ? 'restoring' : 'restoreIt')} busy=${take.busy} problem=${take.error && problemText(take.error)} onSubmit=${take.start} onClose=${onClose}>
    <p>${t('restoreText')}</p>
  <//>`;

function Restore() {
  const [file, setFile] = useState(null);
  const [passphrase, setPassphrase] = useState('');
  const [read, setRead] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const [asks, setAsks] = useState(false);
  const preview = useAction(async () => {
    setOutcome(null);
    const content = new Blob([await file.arrayBuffer()]); // what was shown is what is taken
    setOutcome(await restore(content, passphrase, true));
    setRead(content);
  }, () => {});
  const take = useAction(async () => setOutcome(await restore(read, passphrase, false)), () => {
    setAsks(false);
    toast(t('restored'));
  });
  const choose = (chosen) => {
    setFile(chosen);
    setOutcome(null);
    preview.setError(null);
  };
  useEffect(() => {
    if (file) preview.start();
  }, [file]);
  const { error } = preview;
  const isOfPassphrase = error?.code.startsWith('passphrase') || error?.field === 'X-Backup-Passphrase';
  const submit = (event) => {
    event.preventDefault();
    if (file && !preview.busy) preview.start();
  };
  return html`
    <form class="panel channels backup" onSubmit=${submit} novalidate>
      <h2>${t('restoreBackup')}</h2>
      <p class="soft">${t('restoreBackupText')}</p>
      <${FileField} name="file" label=${t('backupFile')} file=${file} accept=".json,application/json" onFile=${choose} wrong=${error && !isOfPassphrase && problemText(error)} />
      ${(isOfPassphrase || passphrase) && html`
        <${Passphrase} name="restore-passphrase" label=${t('passphrase')} text=${passphrase} onText=${setPassphrase} wrong=${isOfPassphrase && problemText(error)} />
        <button type="submit" disabled=${preview.busy}>${t('previewIt')}</button>`}
      <div class="restore-outcome" aria-live="polite">
        ${preview.busy && html`<p class="soft">${t('readingBackup')}</p>`}
        ${outcome && html`
          <h3>${t(outcome.preview ? 'restoreWould' : 'restoreDid')}</h3>
          <${Changes} outcome=${outcome} />`}
      </div>
      ${outcome?.preview && !changesNothing(outcome) && html`<button type="button" class="danger" onClick=${() => setAsks(true)}>${t('restoreIt')}</button>`}
    </form>
    ${asks && html`<${RestoreDialog} take=${take} onClose=${() => { setAsks(false); take.setError(null); }} />`}`;
}

export const Backup = () => html`
  <h1 class="unseen">${t('backup')}</h1>
  <${Make} />
  <${Restore} />`;
