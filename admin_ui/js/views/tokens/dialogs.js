import { useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { deleteToken, rotateToken } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { Lines, PLACE } from './lines.js';
import { Secret } from './secret.js';

export function RotateDialog({ token, channels, onClose }) {
  const [made, setMade] = useState(null);
  const { error, busy, start } = useAction(() => rotateToken(token.id).then(setMade), () => {});
  if (made) return html`<${Secret} made=${made} channels=${channels} onClose=${onClose} />`;
  return html`
    <${Dialog} title=${t('rotateOne', { name: token.name })} action=${t('rotate')} busy=${busy} problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <p>${t('rotateText', { hint: token.hint })}</p>
    <//>`;
}

export function DeleteDialog({ token, onClose, onChanged }) {
  const { error, busy, start } = useAction(
    // 404: somebody else deleted it meanwhile, which is what was wanted
    () => deleteToken(token.id).catch((failure) => { if (failure.status !== 404) throw failure; }),
    () => onChanged(t('channelDeleted', { name: token.name })),
  );
  return html`
    <${Dialog} title=${t('deleteChannel', { name: token.name })} action=${t('delete')} danger busy=${busy} problem=${error && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <p>${t('deleteTokenText', { hint: token.hint })}</p>
    <//>`;
}

/** The lines to paste for a token whose secret somebody has. */
export const LinesDialog = ({ token, channels, onClose }) => html`
  <${Dialog} wide title=${t('linesFor', { name: token.name })} leave=${t('close')} onClose=${onClose}>
    <p class="soft">${t('linesPlace', { hint: token.hint, place: PLACE })}</p>
    <${Lines} secret=${PLACE} channels=${channels} />
  <//>`;
