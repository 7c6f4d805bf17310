import { render } from '../vendor/preact/preact.mjs';
import { CopyButton } from './components/copy.js';
import { Toasts } from './components/toasts.js';
import { Topbar } from './components/topbar.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';

const app = document.getElementById('app');
const path = document.getElementById('path').textContent;
const suggestion = document.getElementById('suggestion');
const link = suggestion?.querySelector('a');
const list = document.getElementById('prefixes');
const prefixes = [...list.querySelectorAll('code')].map((code) => code.textContent);
const more = Number(list.dataset.count) - prefixes.length;

function Meant() {
  const isMissing = suggestion.dataset.kind === 'missing';
  return html`
    <div class="meant">
      <p>${t(isMissing ? 'prefixMissing' : 'didYouMean')}</p>
      ${link && html`<p><a href=${link.getAttribute('href')}>${link.textContent}</a></p>`}
    </div>`;
}

function Prefix({ prefix }) {
  const address = location.origin + prefix;
  return html`<li><${CopyButton} text=${address} label=${t('copyAddress', { address })}><code>${prefix}</code><//></li>`;
}

function Page() {
  useLanguage();
  document.title = `${t('notFound')} · ${t('product')}`;
  return html`
    <${Topbar} />
    <main>
      <section class="panel not-found">
        <h1>${t('notFound')}</h1>
        <p class="asked"><code>${path}</code></p>
        ${suggestion && html`<${Meant} />`}
        ${prefixes.length > 0 && html`
          <h2>${t('mappings')}</h2>
          <p class="soft">${t('notFoundText')}</p>
          <ul class="prefixes">${prefixes.map((prefix) => html`<${Prefix} prefix=${prefix} />`)}</ul>`}
        <p><a href="/">${more > 0 ? t('moreOnDashboard', { n: more }) : t('dashboard')}</a></p>
      </section>
    </main>
    <${Toasts} />`;
}

app.replaceChildren();
render(html`<${Page} />`, app);
