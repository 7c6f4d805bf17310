// What models cost: the operator's own prices, models without one, and what is reckoned with for those that the channels list.
import { useRef, useState } from '../../vendor/preact/hooks.mjs';
import { readChannels, readEffectivePrice, readPrices } from '../api.js';
import { Banner } from '../components/banner.js';
import { SearchField } from '../components/filters.js';
import { Icon } from '../components/icons.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { useDialog } from '../open_dialog.js';
import { useReading } from '../reading.js';
import { useRoute } from '../route.js';
import { DeletePriceDialog, PriceDialog } from './prices/dialogs.js';
import { Effective, Overrides, Unpriced } from './prices/tables.js';

const PAGE = 50;
const KEPT_MS = 60_000;
const DIALOGS = { add: PriceDialog, edit: PriceDialog, delete: DeletePriceDialog };

/** By the names that upstreams are asked for, which is what is priced. */
const modelsOf = (channels) =>
  [...new Set(channels.flatMap(({ models }) => models.map(({ name, upstream_name: upstream }) => upstream || name)))].filter((name) => !name.includes('*')).sort();

/** Those that were searched for, and what was typed, where it is none of them: any model has a price, or none. */
function wantedOf(models, q) {
  const found = models.filter((name) => name.toLowerCase().includes(q.toLowerCase()));
  return q && !found.includes(q) ? [...found, q] : found;
}

/** Without what was only begun to be typed. */
const toShow = (found, models) => found.filter(({ model, price }) => price || models.includes(model) || found.length === 1);

/** Asks for prices once for as long as nobody changes one; those that change by the hour a minute later. */
function useEffective() {
  const known = useRef({ version: null, prices: new Map() });
  return async (names, version) => {
    if (known.current.version !== version) known.current = { version, prices: new Map() };
    const { prices } = known.current;
    const now = Date.now();
    const missing = names.filter((name) => !(now - prices.get(name)?.readAt < KEPT_MS));
    await Promise.all(missing.map(async (model) => {
      const { price, source } = await readEffectivePrice(model);
      prices.set(model, { model, price, source, readAt: now });
    }));
    return names.map((name) => prices.get(name));
  };
}

export function Prices() {
  const { query: { q = '' } } = useRoute();
  const [most, setMost] = useState(PAGE);
  const effectiveOf = useEffective();
  const read = async () => {
    const [prices, { channels }] = await Promise.all([readPrices(), readChannels({}, 500)]);
    const models = modelsOf(channels);
    const wanted = wantedOf(models, q);
    const found = await effectiveOf(wanted.slice(0, most), prices.price_version);
    return { ...prices, models, more: wanted.length - most, found: toShow(found, models) };
  };
  const { data, problem, load } = useReading(read, JSON.stringify([q, most]));
  const { dialog, setDialog, close, changed } = useDialog(load);
  const act = (kind, about = {}) => setDialog({ kind, about });
  const Open = dialog && DIALOGS[dialog.kind];
  const { overrides = [], unpriced = [], found = [], models = [], more = 0 } = data ?? {};

  return html`
    <section class="panel channels prices">
      <div class="panel-head">
        <h1>${t('prices')}</h1>
        <button type="button" class="primary" onClick=${() => act('add')}><${Icon} name="add" />${t('addPrice')}</button>
      </div>
      <p class="soft">${t('pricesText')}</p>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${unpriced.length > 0 && html`
        <section aria-labelledby="unpriced-title">
          <h2 id="unpriced-title">${t('unpricedModels')}</h2>
          <p class="soft">${t('unpricedText')}</p>
          <${Unpriced} models=${unpriced} act=${act} />
        </section>`}
      ${data && html`
        <section aria-labelledby="own-title">
          <h2 id="own-title">${t('ownPrices')}</h2>
          ${overrides.length > 0 ? html`<${Overrides} overrides=${overrides} act=${act} />` : html`<p class="soft">${t('noOwnPrices')}</p>`}
        </section>
        <section aria-labelledby="effective-title">
          <h2 id="effective-title">${t('effectivePrices')}</h2>
          <div class="filters" role="search"><${SearchField} name="q" value=${q} label=${t('searchPrices')} /></div>
          ${found.length > 0 ? html`<${Effective} found=${found} act=${act} />` : html`<p class="soft">${t('noModels')}</p>`}
          ${more > 0 && html`<button type="button" class="more" onClick=${() => setMost(most + PAGE)}>${t('showMore', { n: more })}</button>`}
        </section>
        <footer>${data.built_in.version && t('tableOf', { version: data.built_in.version, n: data.built_in.models })}</footer>`}
    </section>
    ${Open && html`<${Open} models=${models} ...${dialog.about} onClose=${close} onChanged=${changed} />`}`;
}
