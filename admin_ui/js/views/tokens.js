// The access tokens of the gateway: who may call, what they may, and what they have spent.
import { useState } from '../../vendor/preact/hooks.mjs';
import { doing } from '../action.js';
import { changeToken, readChannels, readTokens } from '../api.js';
import { Banner } from '../components/banner.js';
import { SearchField } from '../components/filters.js';
import { Icon } from '../components/icons.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useDialog } from '../open_dialog.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { DeleteDialog, LinesDialog, RotateDialog } from './tokens/dialogs.js';
import { TokenDialog } from './tokens/editor.js';
import { Row } from './tokens/row.js';

const PAGE = 50;
const DIALOGS = { add: TokenDialog, edit: TokenDialog, rotate: RotateDialog, delete: DeleteDialog, lines: LinesDialog };

const Empty = ({ onAdd }) => html`
  <div class="empty">
    <h2>${t('noTokens')}</h2>
    <p class="soft">${t('noTokensText')}</p>
    <button type="button" class="primary" onClick=${onAdd}><${Icon} name="add" />${t('addToken')}</button>
  </div>`;

const NothingFound = () => html`
  <div class="empty">
    <p class="soft">${t('noTokenFits')}</p>
    <button type="button" onClick=${() => changeQuery({ q: '' })}>${t('clearFilters')}</button>
  </div>`;

const Table = ({ tokens, names, act, attempt }) => html`
  <table class="list-table tokens-table">
    <thead><tr>
      <th scope="col"><span class="unseen">${t('state_enabled')}</span></th>
      <th scope="col">${t('accessToken')}</th><th scope="col">${t('state')}</th><th scope="col">${t('spent')}</th>
      <th scope="col">${t('opens')}</th><th scope="col">${t('limits')}</th><th scope="col">${t('requests')}</th>
      <th scope="col">${t('actions')}</th>
    </tr></thead>
    <tbody>
      ${tokens.map((token) => html`
        <${Row} key=${token.id} token=${token} names=${names} act=${act}
          onSwitch=${() => attempt(
            () => changeToken(token.id, { enabled: !token.enabled }),
            t(token.enabled ? 'channelDisabled' : 'channelEnabled', { name: token.name }),
          )} />`)}
    </tbody>
  </table>`;

/** Tokens, and the channels by whose names their routes are told. */
async function readAll(asked, most) {
  const [tokens, { channels }] = await Promise.all([readTokens(asked, most), readChannels({}, 500)]);
  return { ...tokens, channels };
}

export function Tokens() {
  const { query: { q = '' } } = useRoute();
  const [most, setMost] = useState(PAGE);
  const { data, problem, load } = useReading(() => readAll({ q }, most), JSON.stringify([q, most]));
  const { dialog, setDialog, close, changed } = useDialog(load);

  const attempt = doing(load);
  const act = (kind, token = null) => setDialog({ kind, token });
  const Open = dialog && DIALOGS[dialog.kind];
  const { access_tokens: tokens = [], channels = [], count = 0 } = data ?? {};
  const names = Object.fromEntries(channels.map(({ id, name }) => [id, name]));

  return html`
    <section class="panel channels">
      <div class="panel-head">
        <h1>${t('tokens')}</h1>
        <button type="button" class="primary" onClick=${() => act('add')}><${Icon} name="add" />${t('addToken')}</button>
      </div>
      <p class="soft">${t('tokensText')}</p>
      ${(q || tokens.length > 0) && html`<div class="filters" role="search"><${SearchField} name="q" value=${q} label=${t('searchTokens')} /></div>`}
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${tokens.length > 0 && html`<${Table} tokens=${tokens} names=${names} act=${act} attempt=${attempt} />`}
      ${data && tokens.length === 0 && (q ? html`<${NothingFound} />` : html`<${Empty} onAdd=${() => act('add')} />`)}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${tokens.length < count && html`
        <button type="button" class="more" onClick=${() => setMost(most + PAGE)}>${t('showMore', { n: count - tokens.length })}</button>`}
      ${tokens.length > 0 && html`<footer>${t('tokenCount', { n: count })}</footer>`}
    </section>
    ${Open && html`<${Open} token=${dialog.token} channels=${channels} onClose=${close} onChanged=${changed} />`}`;
}
