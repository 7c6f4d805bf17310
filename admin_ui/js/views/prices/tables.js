import { RowAction } from '../../components/row_action.js';
import { NONE, ago, exact, instant, usd } from '../../format.js';
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { PARTS } from './form.js';

const Head = ({ last }) => html`
  <thead><tr>
    <th scope="col">${t('model')}</th>
    ${PARTS.map((name) => html`<th scope="col" class="amount" key=${name}>${t(`price_${name}`)}</th>`)}
    <th scope="col">${last}</th><th scope="col">${t('actions')}</th>
  </tr></thead>`;

/** usual: what is shown where the price says nothing. */
const Amount = ({ price, name, usual }) => html`
  <td class="amount" data-label=${t(`price_${name}`)}>${price[name] === null ? html`<span class="soft">${usual}</span>` : usd(price[name])}</td>`;

const Tier = ({ price: { above_tokens: above, input_above: input, output_above: output } }) => above && html`
  <span class="soft small-text">${t('tierOf', { n: above, input: usd(input), output: usd(output) })}</span>`;

const Override = ({ price, act }) => html`
  <tr>
    <th scope="row"><code>${price.model}</code></th>
    ${PARTS.map((name) => html`<${Amount} key=${name} price=${price} name=${name} usual=${t('byRatio')} />`)}
    <td class="stacked" data-label=${t('validFrom')}>
      <span>${price.valid_from_ms === null ? t('always') : instant(price.valid_from_ms)}</span><${Tier} price=${price} />
    </td>
    <td class="row-actions">
      <${RowAction} icon="edit" label=${t('editNamed', { prefix: price.model })} onClick=${() => act('edit', { price })} />
      <${RowAction} icon="trash" label=${t('deleteNamed', { prefix: price.model })} onClick=${() => act('delete', { price })} />
    </td>
  </tr>`;

/** What the operator said, in the order in which it is stored. */
export const Overrides = ({ overrides, act }) => html`
  <table class="prices-table">
    <${Head} last=${t('validFrom')} />
    <tbody>${overrides.map((price) => html`<${Override} key=${JSON.stringify([price.model, price.valid_from_ms])} price=${price} act=${act} />`)}</tbody>
  </table>`;

const otherText = ([name, amount]) => `${knows(`part_${name}`) ? t(`part_${name}`) : name}: ${usd(amount)}`;

/** Parts that cost otherwise than the tokens that they are a kind of. */
const othersOf = (price) => Object.entries(price.other).filter(([, amount]) => amount !== price.input && amount !== price.output);

function Source({ model, price, source }) {
  if (!price) return html`<span class="state bad">${t('unpriced')}</span>`;
  const others = othersOf(price);
  const tiers = Object.keys(price.service_tiers);
  return html`
    <span>${t(`source_${source}`)}${price.model !== model && html` <code class="soft">${price.model}</code>`}</span>
    <${Tier} price=${price} />
    ${others.length > 0 && html`<span class="soft small-text" title=${others.map(otherText).join('\n')}>${t('otherParts', { n: others.length })}</span>`}
    ${tiers.length > 0 && html`<span class="soft small-text">${t('serviceTiers', { names: tiers.join(', ') })}</span>`}`;
}

/** found: {model, price, source}, where price is null for none. */
const Found = ({ found: { model, price, source }, act }) => html`
  <tr>
    <th scope="row"><code>${model}</code></th>
    ${PARTS.map((name) => html`
      <td class="amount" data-label=${t(`price_${name}`)} key=${name}>${price ? usd(price[name]) : html`<span class="soft">${NONE}</span>`}</td>`)}
    <td class="stacked" data-label=${t('priceFrom')}><${Source} model=${model} price=${price} source=${source} /></td>
    <td class="row-actions">
      <${RowAction} icon=${price ? 'edit' : 'add'} label=${t('ownPriceOf', { model })} onClick=${() => act('add', { model })} />
    </td>
  </tr>`;

export const Effective = ({ found, act }) => html`
  <table class="prices-table">
    <${Head} last=${t('priceFrom')} />
    <tbody>${found.map((one) => html`<${Found} key=${one.model} found=${one} act=${act} />`)}</tbody>
  </table>`;

export const Unpriced = ({ models, act }) => html`
  <table class="unpriced-table">
    <thead><tr><th scope="col">${t('model')}</th><th scope="col">${t('unpricedCalls')}</th><th scope="col">${t('lastUsed')}</th><th scope="col">${t('actions')}</th></tr></thead>
    <tbody>
      ${models.map(({ model, requests, last_at_ms: last }) => html`
        <tr key=${model}>
          <th scope="row"><code>${model}</code></th>
          <td data-label=${t('unpricedCalls')}>${exact(requests)}</td>
          <td class="soft" data-label=${t('lastUsed')}>${ago(last / 1_000)}</td>
          <td class="row-actions"><button type="button" class="bare small" onClick=${() => act('add', { model })}>${t('setPrice')}</button></td>
        </tr>`)}
    </tbody>
  </table>`;
