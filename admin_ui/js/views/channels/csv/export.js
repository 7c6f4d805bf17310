import { useState } from '../../../../vendor/preact/hooks.mjs';
import { useAction } from '../../../action.js';
import { exportChannels } from '../../../api.js';
import { Dialog } from '../../../components/dialog.js';
import { Select } from '../../../components/input.js';
import { html } from '../../../html.js';
import { t } from '../../../i18n.js';
import { problemText } from '../../../problem.js';
import { saveFile } from '../../../save_file.js';

/** All channels as a file, with their keys or without; that is audited. */
export function CsvExportDialog({ onClose, onChanged }) {
  const [keys, setKeys] = useState('whole');
  const { error, busy, start } = useAction(
    async () => saveFile(await exportChannels(keys === 'whole')),
    () => onChanged(t('csvExported')),
  );
  return html`
    <${Dialog} title=${t('exportChannels')} action=${t(busy ? 'sending' : 'export')} busy=${busy} problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <${Select} name="keys" label=${t('keys')} value=${keys} onValue=${setKeys} choices=${['whole', 'hints'].map((which) => [which, t(`csvKeys_${which}`)])}
        hint=${t(`csvKeysHint_${keys}`)} />
    <//>`;
}
