import { useState } from '../../../vendor/preact/hooks.mjs';
import { Choices, SearchField, TimeChoice } from '../../components/filters.js';
import { Icon } from '../../components/icons.js';
import { useNames, withChosen } from '../../components/known_names.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { changeQuery } from '../../route.js';
import { outcomeText } from '../channels/state.js';
import { DIALECTS, OUTCOMES, RARE } from './asked.js';

const STATUSES = [2, 3, 4, 5];

const Rare = ({ asked, names }) => html`
  <div class="filters">
    <${TimeChoice} name="from_ms" ms=${asked.from_ms} label=${t('spanFrom')} />
    <${TimeChoice} name="to_ms" ms=${asked.to_ms} label=${t('spanTo')} />
    <${Choices} name="channel_id" value=${asked.channel_id} label=${t('channel')} all=${t('allChannels')} choices=${withChosen(names.channels, asked.channel_id)} />
    <${Choices} name="token_id" value=${asked.token_id} label=${t('accessToken')} all=${t('allTokens')} choices=${withChosen(names.tokens, asked.token_id)} />
    <${Choices} name="dialect" value=${asked.dialect} label=${t('dialect')} all=${t('allDialects')} choices=${DIALECTS.map((name) => [name, t(`dialect_${name}`)])} />
    <${Choices} name="stream" value=${asked.stream} label=${t('streamed')} all=${t('streamedOrNot')} choices=${[['true', t('streamed')], ['false', t('notStreamed')]]} />
    <${SearchField} name="mapping" value=${asked.mapping} label=${t('exactMapping')} />
    ${asked.key_id && html`
      <button type="button" class="small" aria-label=${t('widen', { what: `${t('key')}: ${asked.key_id}` })} onClick=${() => changeQuery({ key_id: '' })}>
        ${t('key')}: ${asked.key_id} <${Icon} name="close" /></button>`}
  </div>`;

export function Filters({ asked }) {
  const names = useNames();
  const many = RARE.filter((name) => asked[name]).length;
  const [open, setOpen] = useState(many > 0);
  const statuses = STATUSES.map((n) => [`${n}xx`, t('statusClass', { n })]);
  return html`
    <div class="filters" role="search">
      <${SearchField} name="q" value=${asked.q} label=${t('searchLogs')} />
      <${SearchField} name="model" value=${asked.model} label=${t('exactModel')} />
      <${Choices} name="status" value=${asked.status} label=${t('state')} all=${t('allStatuses')}
        choices=${statuses.some(([name]) => name === asked.status) || !asked.status ? statuses : [...statuses, [asked.status, asked.status]]} />
      <${Choices} name="outcome" value=${asked.outcome} label=${t('outcome')} all=${t('allOutcomes')}
        choices=${OUTCOMES.map((name) => [name, outcomeText(name)])} />
      <${Choices} name="rows" value=${asked.rows} label=${t('which')} all=${t('finalRows')} choices=${[['all', t('allRows')]]} />
      <button type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>${many > 0 ? t('moreFiltersOf', { n: many }) : t('moreFilters')}</button>
    </div>
    ${(open || many > 0) && html`<${Rare} asked=${asked} names=${names} />`}`;
}
