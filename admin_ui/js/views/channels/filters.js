import { Choices, SearchField } from '../../components/filters.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { DIALECTS } from './state.js';

const STATES = ['enabled', 'disabled', 'resting'];

export const Filters = ({ asked }) => html`
  <div class="filters" role="search">
    <${SearchField} name="q" value=${asked.q} label=${t('searchChannels')} />
    <${SearchField} name="model" value=${asked.model} label=${t('servesModel')} />
    <${Choices} name="dialect" value=${asked.dialect} label=${t('dialect')} all=${t('allDialects')}
      choices=${DIALECTS.map((name) => [name, t(`dialect_${name}`)])} />
    <${Choices} name="state" value=${asked.state} label=${t('state')} all=${t('allStates')}
      choices=${STATES.map((name) => [name, t(`state_${name}`)])} />
  </div>`;
