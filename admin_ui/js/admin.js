// The shell of the admin pages: who is logged in, which view is open. Each view knows one noun.
import { render } from '../vendor/preact/preact.mjs';
import { useEffect, useState } from '../vendor/preact/hooks.mjs';
import { useAction } from './action.js';
import { logIn, logOut, onSignedOut, readMappings } from './api.js';
import { Banner } from './components/banner.js';
import { Objection } from './components/field.js';
import { Toasts } from './components/toasts.js';
import { Topbar } from './components/topbar.js';
import { Warnings } from './components/warnings.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';
import { usePoll } from './poll.js';
import { problemText } from './problem.js';
import { useRoute } from './route.js';
import { ApiDocument } from './views/api_document.js';
import { Audit } from './views/audit.js';
import { Backup } from './views/backup.js';
import { Channels } from './views/channels.js';
import { Logs } from './views/logs.js';
import { Mappings } from './views/mappings.js';
import { Playground } from './views/playground.js';
import { Prices } from './views/prices.js';
import { Settings } from './views/settings.js';
import { Statistics } from './views/statistics.js';
import { Tasks } from './views/tasks.js';
import { Tokens } from './views/tokens.js';
import './words/admin.js';

const RETRY_MS = 5_000;
const VIEWS = [
  ['mappings', Mappings], ['channels', Channels], ['tokens', Tokens], ['prices', Prices], ['logs', Logs], ['statistics', Statistics],
  ['playground', Playground], ['tasks', Tasks], ['settings', Settings], ['audit', Audit], ['backup', Backup], ['api', ApiDocument],
];

function Login({ onDone }) {
  const [token, setToken] = useState('');
  const { error, busy, start } = useAction(() => logIn(token), onDone);
  const wrong = error?.code === 'token_wrong';
  const submit = (event) => {
    event.preventDefault();
    start();
  };
  return html`
    <form class="panel login" onSubmit=${submit}>
      <h1>${t('logInTitle')}</h1>
      <p class="soft">${t('logInText')}</p>
      <input name="username" autocomplete="username" value="admin" hidden />
      <label>${t('token')}
        <input type="password" name="token" autocomplete="current-password" required autofocus value=${token}
          aria-invalid=${wrong} aria-describedby=${wrong ? 'token-wrong' : null} onInput=${(event) => setToken(event.target.value)} />
      </label>
      <${Objection} id="token" text=${wrong && problemText(error)} />
      ${error && !wrong && html`<p class="problem" role="alert">${problemText(error)}</p>`}
      <button type="submit" class="primary" disabled=${busy}>${t('logIn')}</button>
    </form>`;
}

/** Asks whether our cookie still counts, until somebody answers. */
function Probe({ onAnswer }) {
  const [problem, setProblem] = useState(null);
  usePoll(async () => {
    try {
      await readMappings();
      onAnswer(true);
    } catch (error) {
      if (error.status === 401) onAnswer(false);
      else setProblem(error);
    }
  }, RETRY_MS);
  if (!problem) return html`<p class="soft empty">${t('loading')}</p>`;
  return html`
    <section class="panel login">
      <h1>${t('unavailable')}</h1>
      <${Banner} kind="bad">${problemText(problem)}<//>
    </section>`;
}

function Views() {
  const { view } = useRoute();
  const [open, View] = VIEWS.find(([name]) => name === view) ?? VIEWS[0];
  return html`
    <nav class="views" aria-label=${t('sections')}>
      ${VIEWS.map(([name]) => html`<a href="#/${name}" aria-current=${name === open ? 'page' : null}>${t(name)}</a>`)}
    </nav>
    <${Warnings} />
    <${View} />`;
}

function Admin() {
  useLanguage();
  const [loggedIn, setLoggedIn] = useState(null);
  document.title = `${t('admin')} · ${t('product')}`;
  useEffect(() => onSignedOut(() => setLoggedIn(false)), []);
  const leave = () => logOut().catch(() => {}).then(() => setLoggedIn(null));
  return html`
    <${Topbar} page="admin">
      ${loggedIn && html`<button type="button" onClick=${leave}>${t('logOut')}</button>`}
    <//>
    <main>
      ${loggedIn === null && html`<${Probe} onAnswer=${setLoggedIn} />`}
      ${loggedIn === false && html`<${Login} onDone=${() => setLoggedIn(true)} />`}
      ${loggedIn && html`<${Views} />`}
    </main>
    <${Toasts} />`;
}

render(html`<${Admin} />`, document.getElementById('app'));
