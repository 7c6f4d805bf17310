// Which span the page is of, and which calls.
import { Choices, SearchField } from '../../components/filters.js';
import { Icon } from '../../components/icons.js';
import { useNames, withChosen } from '../../components/known_names.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { changeQuery } from '../../route.js';
import { timeText } from '../../typed.js';
import { DIALECTS, RANGES, WAYS, boundsOf, spanOf } from './asked.js';

const OWN = 'own';
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

function OwnSpan({ bounds }) {
  const [from, to] = bounds.map(timeText);
  const change = (span) => { if (span) changeQuery({ range: span }); };
  return html`
    <label class="inline">${t('spanFrom')}
      <input type="datetime-local" name="from" value=${from} onChange=${(event) => change(spanOf(event.target.value, to))} /></label>
    <label class="inline">${t('spanTo')}
      <input type="datetime-local" name="to" value=${to} onChange=${(event) => change(spanOf(from, event.target.value))} /></label>`;
}

function Span({ range, span, tz }) {
  const bounds = boundsOf(range);
  const choose = (event) => {
    const chosen = event.target.value;
    changeQuery({ range: chosen === OWN ? `${span.from_ms}-${span.to_ms}` : chosen });
  };
  return html`
    <select name="range" aria-label=${t('span')} value=${bounds ? OWN : range} onChange=${choose}>
      ${RANGES.map((name) => html`<option key=${name} value=${name}>${t(`range_${name}`)}</option>`)}
      <option value=${OWN}>${t('ownSpan')}</option>
    </select>
    ${bounds && html`<${OwnSpan} bounds=${bounds} />`}
    <select name="tz" aria-label=${t('timeZone')} value=${tz} onChange=${(event) => changeQuery({ tz: event.target.value })}>
      <option value="">${t('zoneOfGateway')}</option>
      ${[...new Set([HERE, 'UTC', ...(tz ? [tz] : [])])].map((zone) => html`<option key=${zone} value=${zone}>${zone}</option>`)}
    </select>`;
}

export function Scope({ asked: { range, by, filters, tz }, span }) {
  const names = useNames();
  return html`
    <div class="filters statistics-scope">
      <${Span} range=${range} span=${span} tz=${tz} />
      <label class="inline">${t('toldBy')}
        <select name="by" value=${by.join(',')} onChange=${(event) => changeQuery({ by: event.target.value })}>
          ${WAYS.map((way) => html`<option key=${way} value=${way}>${way.split(',').map((one) => t(`way_${one}`)).join(' · ')}</option>`)}
        </select>
      </label>
    </div>
    <div class="filters" role="search">
      <${Choices} name="channel_id" value=${filters.channel_id} label=${t('channel')} all=${t('allChannels')} choices=${withChosen(names.channels, filters.channel_id)} />
      <${Choices} name="token_id" value=${filters.token_id} label=${t('accessToken')} all=${t('allTokens')} choices=${withChosen(names.tokens, filters.token_id)} />
      <${Choices} name="dialect" value=${filters.dialect} label=${t('dialect')} all=${t('allDialects')} choices=${DIALECTS.map((name) => [name, t(`dialect_${name}`)])} />
      <${SearchField} name="model" value=${filters.model} label=${t('exactModel')} />
      <${SearchField} name="mapping" value=${filters.mapping} label=${t('exactMapping')} />
      ${filters.key_id && html`
        <button type="button" class="small" aria-label=${t('widen', { what: `${t('way_key')}: ${filters.key_id}` })} onClick=${() => changeQuery({ key_id: '' })}>
          ${t('way_key')}: ${filters.key_id} <${Icon} name="close" /></button>`}
    </div>`;
}
