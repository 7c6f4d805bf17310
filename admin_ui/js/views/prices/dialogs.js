import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { readEffectivePrice } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { Folded } from '../../components/folded.js';
import { Input } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { checkTime } from '../../typed.js';
import { PARTS, changed, formOf, priceOf, replacePrice } from './form.js';

const FOLLOWING = ['cached', 'cache_write_5m', 'cache_write_1h'];
const MORE = ['above_tokens', 'input_above', 'output_above', 'valid_from_ms'];

function Fields({ form, error, models, onForm }) {
  const wrong = (name) => error?.field === name && problemText(error, 'price');
  const text = (name) => ({ name, text: form[name], wrong: wrong(name), onText: (value) => onForm({ [name]: value }) });
  const amount = (name, placeholder = '') => html`
    <${Input} key=${name} ...${text(name)} label=${t(`price_${name}`)} inputmode="decimal" placeholder=${placeholder} />`;
  return html`
    <${Input} ...${text('model')} label=${t('model')} class="mono" list="priced-models" placeholder="gpt-5*" hint=${t('priceModelHint')} autofocus=${!form.model} />
    <datalist id="priced-models">${models.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <fieldset>
      <legend>${t('perMillion')}</legend>
      <div class="columns-2">${['input', 'output'].map((name) => amount(name))}</div>
      <div class="columns-3">${FOLLOWING.map((name) => amount(name, t('byRatio')))}</div>
      <p class="hint">${t('byRatioHint')}</p>
    </fieldset>
    <${Folded} title=${t('tierAndDate')} said=${MORE.filter((name) => form[name]).length} blamed=${MORE.includes(error?.field)}>
      <div class="option-fields">
        <${Input} ...${text('above_tokens')} label=${t('aboveTokens')} inputmode="numeric" placeholder="200000" hint=${t('aboveTokensHint')} />
        <${Input} ...${text('valid_from_ms')} label=${t('validFrom')} type="datetime-local" hint=${t('validFromHint')} />
        ${['input_above', 'output_above'].map((name) => amount(name))}
      </div>
    <//>`;
}

/** Stores a price of the operator's: `price` in its place, or a new one, which begins with what a `model` costs now. */
export function PriceDialog({ price, model = '', models, onClose, onChanged }) {
  const [form, setForm] = useState(() => formOf(price ?? { model }));
  useEffect(() => {
    if (price || !model) return;
    readEffectivePrice(model).then(
      // what was typed meanwhile stays
      ({ price: now }) => now && setForm((typed) => (PARTS.some((name) => typed[name]) ? typed : { ...formOf(now), model: typed.model, valid_from_ms: '' })),
      () => {}, // the form works without it
    );
  }, []);
  const { error, busy, start } = useAction(
    async () => {
      checkTime('valid_from_ms');
      await replacePrice(price, price ? changed(price, form) : priceOf(form));
    },
    () => onChanged(t('saved', { prefix: form.model.trim() })),
  );
  return html`
    <${Dialog} wide title=${price ? t('priceOf', { model: price.model }) : t('addPrice')} action=${t('save')} busy=${busy}
      problem=${error && !(error.field in form) && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <${Fields} form=${form} error=${error} models=${models} onForm=${(changes) => setForm({ ...form, ...changes })} />
    <//>`;
}

export function DeletePriceDialog({ price, onClose, onChanged }) {
  const { error, busy, start } = useAction(
    // 404: somebody else deleted it meanwhile, which is what was wanted
    () => replacePrice(price, null).catch((failure) => { if (failure.status !== 404) throw failure; }),
    () => onChanged(t('channelDeleted', { name: price.model })),
  );
  return html`
    <${Dialog} title=${t('deleteChannel', { name: price.model })} action=${t('delete')} danger busy=${busy} problem=${error && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <p>${t('deletePriceText')}</p>
    <//>`;
}
