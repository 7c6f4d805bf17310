import { Icon } from '../../components/icons.js';
import { Check, Input } from '../../components/input.js';
import { Objection } from '../../components/field.js';
import { duration } from '../../format.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { EMPTY_URL } from './form.js';

const toggled = (names, name) => (names.includes(name) ? names.filter((other) => other !== name) : [...names, name]);

function Url({ place, url, stored, spoken, alone, error, onUrl, onRemove }) {
  const at = (name) => `urls[${place}].${name}`;
  const wrong = (name) => error?.field === at(name) && problemText(error);
  const change = (name) => (value) => onUrl({ ...url, [name]: value });
  // the first is to blame for what is wrong with all
  const wrongUrl = wrong('url') || (place === 0 && error?.field === 'urls' && problemText(error));
  return html`
    <li class="url">
      <${Input} id=${at('url')} name=${at('url')} label=${alone ? t('baseUrl') : t('baseUrlNumber', { place: place + 1 })} text=${url.url}
        placeholder="https://api.openai.com" inputmode="url" wrong=${wrongUrl} onText=${change('url')} />
      ${!alone && html`
        <button type="button" class="bare remove" aria-label=${t('removeUrl', { place: place + 1 })} title=${t('removeUrl', { place: place + 1 })} onClick=${onRemove}><${Icon} name="close" /></button>`}
      <div class="url-more">
        ${!alone && html`
          <label class="inline">${t('weight')}
            <input name=${at('weight')} value=${url.weight} placeholder="1" inputmode="numeric" autocomplete="off" aria-invalid=${Boolean(wrong('weight'))}
              aria-describedby=${wrong('weight') ? `${at('weight')}-wrong` : null} onInput=${(event) => change('weight')(event.target.value)} />
          </label>`}
        ${spoken.length > 1 && !alone && html`
          <span class="checks" role="group" aria-label=${t('dialectsHere')}>
            ${spoken.map((name) => html`
              <${Check} key=${name} name=${at(name)} label=${t(`dialect_${name}`)} checked=${url.dialects.length === 0 || url.dialects.includes(name)}
                onCheck=${() => {
                  const next = toggled(url.dialects.length ? url.dialects : spoken, name);
                  change('dialects')(next.length === spoken.length ? [] : next);
                }} />`)}
          </span>`}
        <${Check} name=${at('exact')} label=${t('exact')} checked=${url.exact} onCheck=${change('exact')} describedBy="exact-hint" />
        ${stored?.first_byte_ms && html`<span class="soft">${t('firstByteOf', { time: duration(stored.first_byte_ms) })}</span>`}
        <${Objection} id=${at('weight')} text=${wrong('weight')} />
        <${Objection} id=${at('dialects')} text=${wrong('dialects')} />
      </div>
    </li>`;
}

/** stored: the urls as the gateway knows them, with what it saw of each. spoken: the dialects of the channel. */
export function Urls({ urls, stored, spoken, error, onUrls }) {
  const replace = (place, url) => onUrls(urls.map((other, index) => (index === place ? url : other)));
  return html`
    <fieldset class="urls">
      <legend class="unseen">${t('baseUrls')}</legend>
      <ul>
        ${urls.map((url, place) => html`
          <${Url} key=${place} place=${place} url=${url} stored=${stored.find((one) => one.url === url.url)} spoken=${spoken} alone=${urls.length === 1}
            error=${error} onUrl=${(next) => replace(place, next)} onRemove=${() => onUrls(urls.filter((_, index) => index !== place))} />`)}
      </ul>
      <p class="hint" id="exact-hint">${t('exactHint')}</p>
      <button type="button" class="bare small" onClick=${() => onUrls([...urls, EMPTY_URL])}><${Icon} name="add" />${t('addUrl')}</button>
    </fieldset>`;
}
