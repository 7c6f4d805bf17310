// The shell of the admin pages: who is logged in, which view is open. Each view knows one noun.
import { render } from '../vendor/preact/preact.mjs';
import { useEffect, useState } from '../vendor/preact/hooks.mjs';
import { logIn, logOut, onSignedOut, readMappings } from './api.js';
import { Banner } from './components/banner.js';
import { Toasts } from './components/toasts.js';
import { Topbar } from './components/topbar.js';
import { html } from './html.js';
import { t, useLanguage } from './i18n.js';
import { usePoll } from './poll.js';
import { problemText } from './problem.js';
import { Mappings } from './views/mappings.js';
import { Settings } from './views/settings.js';

const RETRY_MS = 5_000;
const VIEWS = [['mappings', Mappings], ['settings', Settings]];

function Login({ onDone }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await logIn(token);
      onDone();
    } catch (error) {
      setProblem(problemText(error));
      setBusy(false);
    }
  };
  return html`
    <form class="panel login" onSubmit=${submit}>
      <h1>${t('logInTitle')}</h1>
      <p class="soft">${t('logInText')}</p>
      <input name="username" autocomplete="username" value="admin" hidden />
      <label>${t('token')}
        <input type="password" name="token" autocomplete="current-password" required autofocus value=${token}
          onInput=${(event) => setToken(event.target.value)} />
      </label>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <button type="submit" class="primary" disabled=${busy}>${t('logIn')}</button>
    </form>`;
}

/** Asks whether our cookie still counts, until somebody answers. */
function Probe({ onAnswer }) {
  const [problem, setProblem] = useState('');
  usePoll(async () => {
    try {
      await readMappings();
      onAnswer(true);
    } catch (error) {
      if (error.status === 401) onAnswer(false);
      else setProblem(problemText(error));
    }
  }, RETRY_MS);
  if (!problem) return html`<p class="soft empty">${t('loading')}</p>`;
  return html`
    <section class="panel login">
      <h1>${t('unavailable')}</h1>
      <${Banner} kind="bad">${problem}<//>
    </section>`;
}

const viewInAddress = () => VIEWS.find(([name]) => location.hash === `#/${name}`) ?? VIEWS[0];

function Views() {
  const [[open, View], setOpen] = useState(viewInAddress());
  useEffect(() => {
    const follow = () => setOpen(viewInAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return html`
    ${VIEWS.length > 1 && html`
      <nav class="views" aria-label=${t('sections')}>
        ${VIEWS.map(([name]) => html`<a href="#/${name}" aria-current=${name === open ? 'page' : null}>${t(name)}</a>`)}
      </nav>`}
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
