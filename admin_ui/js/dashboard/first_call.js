// The page of a gateway that nobody has called yet: how to. It gives way to the figures by itself.
import { html } from '../html.js';
import { t } from '../i18n.js';
import { Examples } from './examples.js';

export const FirstCall = ({ endpoints }) => html`
  <section class="panel first-call">
    <h1>${t('welcome')}</h1>
    ${endpoints.length > 0 && html`<p>${t('welcomeText')}</p>`}
    <${Examples} endpoints=${endpoints} />
    ${endpoints.length > 0 && html`<p class="waiting" role="status"><i></i>${t('waitingForFirst')}</p>`}
  </section>`;
