import { RowAction, RowSwitch } from '../../components/row_action.js';
import { NONE, ago, exact, instant } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { Budgets } from './budgets.js';

const MODELS_SHOWN = 2;
const MARKS = { enabled: 'good', disabled: '', expired: 'bad' };

function stateOf({ enabled, expires_at_ms: until }) {
  if (!enabled) return 'disabled';
  return until && until <= Date.now() ? 'expired' : 'enabled';
}

function State({ token }) {
  const { expires_at_ms: until } = token;
  const state = stateOf(token);
  return html`
    <span class="state ${MARKS[state]}">${t(`state_${state}`)}</span>
    ${until && html`<span class="soft small-text"><time dateTime=${new Date(until).toISOString()} title=${new Date(until).toLocaleString()}>
      ${t(state === 'expired' ? 'expiredAt' : 'expiresAt', { when: instant(until) })}</time></span>`}`;
}

/** names: of channels by id, as far as they are known. */
const namesIn = ({ channels, mappings }, names) => [...channels.map((id) => names[id] ?? t('goneChannel', { id })), ...mappings];

function Routes({ routes, names }) {
  const { mode } = routes;
  const named = namesIn(routes, names);
  if (mode === 'all' || (mode === 'deny' && named.length === 0)) return html`<span class="soft small-text">${t('routes_all')}</span>`;
  if (named.length === 0) return html`<span class="small-text bad">${t('routesNone')}</span>`;
  return html`
    <span class="soft small-text routes-named" title=${named.join('\n')}>${t(mode === 'allow' ? 'routesOnly' : 'routesBut', { named: named.join(', ') })}</span>`;
}

const Opens = ({ token: { models, routes, web_pages: pages }, names }) => html`
  <span class="models" title=${models.join('\n')}>
    ${models.slice(0, MODELS_SHOWN).map((name) => html`<code key=${name}>${name}</code>`)}
    ${models.length > MODELS_SHOWN && html`<span class="soft small-text">${t('moreModels', { n: models.length - MODELS_SHOWN })}</span>`}
    ${models.length === 0 && html`<span>${t('allModels')}</span>`}
  </span>
  <${Routes} routes=${routes} names=${names} />
  ${pages && html`<span class="soft small-text">${t('webPages')}</span>`}`;

function Limits({ token: { requests_per_minute: rate, max_concurrency: atOnce } }) {
  if (!rate && !atOnce) return html`<span class="soft">${NONE}</span>`;
  return html`
    ${rate > 0 && html`<span>${t('aMinute', { n: rate })}</span>`}
    ${atOnce > 0 && html`<span>${t('atOnce', { n: atOnce })}</span>`}`;
}

const Calls = ({ token: { id, name, requests, errors, last_used_at_ms: used } }) => html`
  ${requests > 0 ? html`<a href="#/logs?token_id=${id}" aria-label=${t('callsOf', { name })}>${exact(requests)}</a>` : html`<span>${exact(requests)}</span>`}
  ${errors > 0 && html`<span class="soft small-text">${t('errorsOf', { n: errors })}</span>`}
  <span class="soft small-text">${used ? ago(used / 1_000) : t('neverUsed')}</span>`;

export function Row({ token, names, act, onSwitch }) {
  const { name, note } = token;
  return html`
    <tr class=${stateOf(token) === 'enabled' ? '' : 'off'}>
      <td class="switch-cell"><${RowSwitch} on=${token.enabled} label=${t('enabledNamed', { name })} onSwitch=${onSwitch} /></td>
      <th scope="row">
        <div class="row-name">
          <b>${name}</b><code class="soft">${token.hint}</code>
          ${note && html`<span class="soft note" title=${note}>${note.split('\n')[0]}</span>`}
        </div>
      </th>
      <td class="stacked" data-label=${t('state')}><${State} token=${token} /></td>
      <td class="stacked budgets" data-label=${t('spent')}><${Budgets} token=${token} /></td>
      <td class="stacked" data-label=${t('opens')}><${Opens} token=${token} names=${names} /></td>
      <td class="stacked" data-label=${t('limits')}><${Limits} token=${token} /></td>
      <td class="stacked" data-label=${t('requests')}><${Calls} token=${token} /></td>
      <td class="row-actions">
        <${RowAction} icon="code" label=${t('linesFor', { name })} onClick=${() => act('lines', token)} />
        <${RowAction} icon="edit" label=${t('editNamed', { prefix: name })} onClick=${() => act('edit', token)} />
        <${RowAction} icon="refresh" label=${t('rotateNamed', { name })} onClick=${() => act('rotate', token)} />
        <${RowAction} icon="trash" label=${t('deleteNamed', { prefix: name })} onClick=${() => act('delete', token)} />
      </td>
    </tr>`;
}
