import { useLayoutEffect, useRef } from '../../../vendor/preact/hooks.mjs';
import { CopyButton } from '../../components/copy.js';
import { Dialog } from '../../components/dialog.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { Lines } from './lines.js';

/** The secret of a token that was just made, for the one time that it is known, and where it goes. It leaves the page with this dialog. */
export function Secret({ made: { access_token: { name, hint }, token: secret }, channels, onClose }) {
  const box = useRef();
  useLayoutEffect(() => box.current.querySelector('button').focus(), []);
  return html`
    <${Dialog} wide title=${t('secretOf', { name })} leave=${t('done')} onClose=${onClose}>
      <p class="banner warn">${t('secretOnce')}</p>
      <div class="code" ref=${box}><pre tabindex="0"><code class="secret">${secret}</code></pre><${CopyButton} text=${secret} said=${hint} label=${t('copySecret')} /></div>
      <${Lines} secret=${secret} channels=${channels} />
    <//>`;
}
