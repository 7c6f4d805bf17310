import { useAction } from '../../action.js';
import { resetSettings } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { limitName, limitText } from '../../limits.js';
import { problemText } from '../../problem.js';

/** Asks before settings are taken back. settings: [name, setting] of those that are set here. */
export function ResetDialog({ settings, typed, onClose, onReset }) {
  const names = settings.map(([name]) => name);
  const { error, busy, start } = useAction(() => resetSettings(names), () => onReset(names));
  return html`
    <${Dialog} title=${t('resetTitle', { n: names.length })} action=${t('reset')} danger busy=${busy} problem=${error && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <p>${t('resetText')} ${typed && t('unsavedElsewhere')}</p>
      <ul class="names">
        ${settings.map(([name, setting]) => html`
          <li key=${name}>${limitName(name)}: ${limitText(name, setting, setting.value)} → ${limitText(name, setting, setting.default)}</li>`)}
      </ul>
    <//>`;
}
