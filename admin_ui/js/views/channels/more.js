// The folded parts of a channel's form.
import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { readSettings } from '../../api.js';
import { Folded } from '../../components/folded.js';
import { Input, Select } from '../../components/input.js';
import { Option } from '../../components/option.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { objection } from '../../limits.js';
import { problemText } from '../../problem.js';
import { Rules } from './rules.js';

const AUTHS = ['auto', 'bearer', 'x-api-key', 'x-goog-api-key', 'api-key', 'both'];
const MONEY = { cost_per_day_usd: 'unlimited', cost_multiplier: 'costListPrice' };
const NUMBERS = ['max_concurrency', 'requests_per_minute', 'key_max_concurrency', 'key_requests_per_minute'];

/** The settings that a channel may have of its own, with what holds without; none until they are read. */
export function useKnownOptions() {
  const [known, setKnown] = useState({});
  useEffect(() => {
    readSettings().then(
      ({ settings }) => setKnown(Object.fromEntries(Object.entries(settings).filter(([, setting]) => setting.per_channel))),
      () => {}, // the form works without them
    );
  }, []);
  return known;
}

const blames = (error, names) => names.includes(error?.field?.split(/[.[]/)[0]);

export function Limits({ form, error, onForm }) {
  const names = [...NUMBERS, ...Object.keys(MONEY), 'hours'];
  const wrong = (name) => error?.field === name && problemText(error);
  return html`
    <${Folded} title=${t('limitsAndHours')} said=${names.filter((name) => form[name]).length} blamed=${blames(error, names)}>
      <div class="option-fields">
        ${NUMBERS.map((name) => html`
          <${Input} key=${name} name=${name} label=${t(`channel_${name}`)} text=${form[name]} inputmode="numeric" placeholder=${t('unlimited')} wrong=${wrong(name)}
            onText=${(text) => onForm({ [name]: text })} />`)}
        ${Object.entries(MONEY).map(([name, empty]) => html`
          <${Input} key=${name} name=${name} label=${t(`channel_${name}`)} text=${form[name]} inputmode="decimal" placeholder=${t(empty)} wrong=${wrong(name)}
            hint=${t(`channel_${name}Hint`)} onText=${(text) => onForm({ [name]: text })} />`)}
        <div class="wide">
          <${Input} name="hours" label=${t('hours')} text=${form.hours} placeholder="08:00-23:30" hint=${t('hoursHint')} wrong=${wrong('hours')}
            onText=${(hours) => onForm({ hours })} />
        </div>
      </div>
    <//>`;
}

export function Connection({ form, error, known, onForm }) {
  const names = ['auth', 'proxy_url', 'check_model', 'options'];
  const wrong = (name) => error?.field === name && problemText(error);
  const set = Object.values(form.options).filter((text) => text.trim()).length + (form.auth !== 'auto') + Boolean(form.proxy_url) + Boolean(form.check_model);
  return html`
    <${Folded} title=${t('connection')} said=${set} blamed=${blames(error, names)}>
      <div class="option-fields">
        <${Select} name="auth" label=${t('auth')} value=${form.auth} onValue=${(auth) => onForm({ auth })} choices=${AUTHS.map((name) => [name, t(`auth_${name}`)])} />
        <${Input} name="check_model" label=${t('checkModel')} text=${form.check_model} wrong=${wrong('check_model')} onText=${(check_model) => onForm({ check_model })} />
        <div class="wide">
          <${Input} name="proxy_url" label=${t('name_proxy_url')} text=${form.proxy_url} placeholder="socks5h://user:password@proxy.example:1080" inputmode="url"
            hint=${t('meaning_proxy_url')} wrong=${wrong('proxy_url')} onText=${(proxy_url) => onForm({ proxy_url })} />
        </div>
        ${Object.entries(known).map(([name, setting]) => html`
          <${Option} key=${name} name=${name} setting=${setting} text=${form.options[name] ?? ''} wrong=${objection(error, `options.${name}`, setting)}
            onText=${(text) => onForm({ options: { ...form.options, [name]: text } })} />`)}
      </div>
    <//>`;
}

export function HeadersAndBody({ form, error, onForm }) {
  return html`
    <${Folded} title=${t('headersAndBody')} said=${form.header_rules.length + form.body_rules.length} blamed=${blames(error, ['header_rules', 'body_rules'])}>
      <${Rules} list="header_rules" named="name" actions=${['set', 'append', 'remove']} valued=${['set', 'append', 'remove']} rules=${form.header_rules} error=${error}
        onRules=${(header_rules) => onForm({ header_rules })} />
      <${Rules} list="body_rules" named="path" actions=${['set', 'remove']} valued=${['set']} rules=${form.body_rules} error=${error}
        onRules=${(body_rules) => onForm({ body_rules })} />
    <//>`;
}
