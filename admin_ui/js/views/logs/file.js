// The log as a file, and what of it is let go.
import { useAction } from '../../action.js';
import { logsFile, pruneLogs } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { toast } from '../../components/toasts.js';
import { bytes } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { useDialog } from '../../open_dialog.js';
import { problemText } from '../../problem.js';

function PruneDialog({ onDone, onClose }) {
  const { error, busy, start } = useAction(async () => {
    const { removed, bytes: size } = await pruneLogs();
    toast(t('pruned', { n: removed, size: bytes(size) }));
  }, onDone);
  return html`
    <${Dialog} title=${t('pruneTitle')} action=${t(busy ? 'pruning' : 'prune')} busy=${busy} problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <p>${t('pruneText')}</p>
      <p class="hint"><a href="#/settings">${t('pruneSettings')}</a></p>
    <//>`;
}

/** asked: what the API is asked for, so the file holds what the list shows. */
export function FileActions({ asked, load }) {
  const { dialog, setDialog, close } = useDialog(load);
  return html`
    ${['csv', 'ndjson'].map((format) => html`
      <a key=${format} class="button" href=${logsFile(asked, format)} download title=${t('exportLogs')}>${format.toUpperCase()}</a>`)}
    <button type="button" onClick=${() => setDialog('prune')}>${t('prune')}</button>
    ${dialog && html`<${PruneDialog} onDone=${close} onClose=${close} />`}`;
}
