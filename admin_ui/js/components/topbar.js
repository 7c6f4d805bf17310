import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { html } from '../html.js';
import { t, toggleLanguage } from '../i18n.js';
import { isDark, onSystemTheme, toggleTheme } from '../theme.js';
import { Icon } from './icons.js';

function ThemeButton() {
  const [dark, setDark] = useState(isDark());
  useEffect(() => onSystemTheme(() => setDark(isDark())), []);
  const label = t(dark ? 'themeLight' : 'themeDark');
  const toggle = () => {
    toggleTheme();
    setDark(isDark());
  };
  return html`
    <button type="button" class="bare" id="theme" aria-label=${label} title=${label} onClick=${toggle}>
      <${Icon} name=${dark ? 'sun' : 'moon'} />
    </button>`;
}

const PAGES = [['/', 'dashboard'], ['/proxy/', 'webPages'], ['/admin', 'admin']];

/** The head of each page; children stand between the pages and the switches. */
export const Topbar = ({ page, children }) => html`
  <header class="topbar">
    <a class="brand" href="/"><img src="/static/favicon.svg" alt="" width="26" height="26" /><span>Gateway</span></a>
    <nav>
      ${PAGES.map(([href, name]) => html`
        <a href=${href} aria-current=${name === page ? 'page' : null}>${t(name)}</a>`)}
    </nav>
    <div class="topbar-end">
      ${children}
      <button type="button" class="bare" id="language" onClick=${toggleLanguage}>${t('otherLanguage')}</button>
      <${ThemeButton} />
    </div>
  </header>`;
