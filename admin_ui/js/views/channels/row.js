import { Remaining } from '../../components/remaining.js';
import { RowAction, RowSwitch } from '../../components/row_action.js';
import { Tile } from '../../components/tile.js';
import { NONE, ago, exact, percent } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { LastError, StateBadge, stateOf } from './state.js';

const keysText = ({ active, total }) => t('keysActive', { active: exact(active), total: exact(total) });

const MODELS_SHOWN = 2;

const hosts = ({ urls }) => urls.map(({ url }) => url.replace(/^https?:\/\//, ''));

const Name = ({ channel }) => html`
  <div class="channel-name">
    <${Tile} name=${channel.name} />
    <div>
      <b>${channel.name}</b>
      <span class="dialects">${channel.dialects.map((name) => html`<span class="badge" key=${name}>${t(`dialect_${name}`)}</span>`)}</span>
      <span class="hosts soft" title=${hosts(channel).join('\n')}><code>${hosts(channel)[0]}</code>${channel.urls.length > 1 && html`<span>+${channel.urls.length - 1}</span>`}</span>
      ${channel.note && html`<span class="soft note" title=${channel.note}>${channel.note.split('\n')[0]}</span>`}
    </div>
  </div>`;

function State({ channel, onEndRests }) {
  const state = stateOf(channel);
  const { last_error: error, last_ok_at_ms: ok } = channel;
  const models = Object.entries(channel.resting_models).filter(([, until]) => until > Date.now());
  const urls = channel.urls.filter(({ resting_until_ms: until }) => until > Date.now());
  const rests = state === 'resting' || models.length > 0 || urls.length > 0 || channel.keys.resting > 0;
  return html`
    <${StateBadge} state=${state} untilMs=${channel.resting_until_ms} />
    ${state !== 'resting' && models.map(([name, until]) => html`
      <span class="part" key=${name}><code>${name}</code> ${t('restsFor')} <${Remaining} untilMs=${until} /></span>`)}
    ${state !== 'resting' && urls.map(({ url, resting_until_ms: until }) => html`
      <span class="part" key=${url}><code>${hosts({ urls: [{ url }] })[0]}</code> ${t('restsFor')} <${Remaining} untilMs=${until} /></span>`)}
    ${error && (state === 'resting' || error.at_ms > (ok ?? 0)) && html`<${LastError} error=${error} />`}
    ${rests && html`
      <button type="button" class="bare small" aria-label=${t('endRestsOf', { name: channel.name })} onClick=${onEndRests}>${t('endRests')}</button>`}`;
}

function Health({ channel: { success_rate: rate, last_ok_at_ms: ok } }) {
  if (rate === null) return html`<span class="soft">${NONE}</span>`;
  const mark = rate >= 0.95 ? 'good' : rate >= 0.8 ? 'fair' : 'bad';
  return html`
    <span class="health ${mark}"><span class="health-bar" style=${{ '--share': `${rate * 100}%` }}></span>${percent(rate * 100)}</span>
    ${ok && html`<span class="soft small-text">${t('lastOk', { when: ago(ok / 1_000) })}</span>`}`;
}

function Keys({ channel: { id, name, keys } }) {
  const rest = ['resting', 'blacklisted', 'disabled'].filter((state) => keys[state] > 0);
  return html`
    <a href="#/channels/${id}/keys" aria-label=${`${t('keysOf', { name })}: ${keysText(keys)}`}>${keysText(keys)}</a>
    ${rest.map((state) => html`<span class="soft small-text" key=${state}>${t(`keys_${state}`, { n: keys[state] })}</span>`)}`;
}

function Models({ models }) {
  const names = models.map(({ name, upstream_name: upstream }) => (upstream ? `${name} → ${upstream}` : name));
  return html`
    <span class="models" title=${names.join('\n')}>
      ${models.slice(0, MODELS_SHOWN).map(({ name }) => html`<code key=${name}>${name === '*' ? t('allModels') : name}</code>`)}
      ${models.length > MODELS_SHOWN && html`<span class="soft small-text">${t('moreModels', { n: models.length - MODELS_SHOWN })}</span>`}
    </span>`;
}

function Priority({ channel: { priority, effective_priority: effective } }) {
  const penalty = effective !== null && Math.abs(priority - effective) >= 0.05;
  return html`
    <b>${exact(penalty ? Math.round(effective * 10) / 10 : priority)}</b>
    ${penalty && html`<span class="soft small-text">${t('ofPriority', { n: exact(priority) })}</span>`}`;
}

export function Row({ channel, act, onSwitch, onEndRests }) {
  const { name } = channel;
  return html`
    <tr class=${channel.enabled ? '' : 'off'}>
      <td class="switch-cell">
        <${RowSwitch} on=${channel.enabled} label=${t('enabledNamed', { name })} onSwitch=${onSwitch} />
      </td>
      <th scope="row"><${Name} channel=${channel} /></th>
      <td class="stacked" data-label=${t('state')}><${State} channel=${channel} onEndRests=${onEndRests} /></td>
      <td class="stacked" data-label=${t('priority')}><${Priority} channel=${channel} /></td>
      <td class="stacked" data-label=${t('health')}><${Health} channel=${channel} /></td>
      <td class="stacked" data-label=${t('keys')}><${Keys} channel=${channel} /></td>
      <td class="stacked" data-label=${t('models')}><${Models} models=${channel.models} /></td>
      <td class="row-actions">
        <${RowAction} icon="play" label=${t('testNamed', { name })} onClick=${() => act('test', channel)} />
        <${RowAction} icon="edit" label=${t('editNamed', { prefix: name })} onClick=${() => act('edit', channel)} />
        <${RowAction} icon="copy" label=${t('copyNamed', { name })} onClick=${() => act('copy', channel)} />
        <${RowAction} icon="trash" label=${t('deleteNamed', { prefix: name })} onClick=${() => act('delete', channel)} />
      </td>
    </tr>`;
}
