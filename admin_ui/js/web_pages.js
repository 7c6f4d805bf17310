// The page where an address is typed. The server's problem, if it had one, stands in the page that it sent.
import { render } from '../vendor/preact/preact.mjs';
import { Topbar } from './components/topbar.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';

const app = document.getElementById('app');
const problem = document.querySelector('.problem')?.textContent ?? '';
const asked = /^\/proxy\/(?:~[\w.-]+\/)?(.+)/.exec(location.pathname)?.[1];
const tried = asked ? asked + location.search : new URLSearchParams(location.search).get('url') ?? '';

function Page() {
  useLanguage();
  document.title = `${t('webPages')} · ${t('product')}`;
  return html`
    <${Topbar} page="webPages" />
    <main>
      <form class="panel address" action="/proxy/" method="get">
        <h1>${t('webPages')}</h1>
        <p class="soft">${t('webPagesText')}</p>
        ${problem && html`<p class="problem" role="alert">${problem}</p>`}
        <label>${t('address')}
          <input name="url" inputmode="url" required autofocus autocapitalize="off" spellcheck=${false}
            placeholder="https://example.com/" defaultValue=${tried} />
        </label>
        <button type="submit" class="primary">${t('openPage')}</button>
      </form>
    </main>`;
}

app.replaceChildren();
render(html`<${Page} />`, app);
