import { useAction } from '../../action.js';
import { exportKeys } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { saveFile } from '../../save_file.js';

/** Keys leave as a file; that is audited. */
export function ExportDialog({ id, channel, state, onClose, onChanged }) {
  const n = state ? channel.keys[state] : channel.keys.total;
  const { error, busy, start } = useAction(
    async () => saveFile(await exportKeys(id, state)),
    () => onChanged(t('keysExported', { n })),
  );
  return html`
    <${Dialog} title=${t('exportKeys', { n })} action=${t(busy ? 'sending' : 'export')} busy=${busy} problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <p><b>${t(state ? `keys_all_${state}` : 'keys_all', { n })}</b></p>
      <p>${t('exportKeysText')}</p>
    <//>`;
}
