// A channel as its form holds it, and back: all texts are as they were typed, for the server to judge.
import { fieldText, fieldValue } from '../../limits.js';
import { changesBetween, linesIn, number, numberText } from '../../typed.js';
import { DIALECTS } from './state.js';

const NUMBERS = ['max_concurrency', 'requests_per_minute', 'key_max_concurrency', 'key_requests_per_minute'];
/** Decimal texts, and what each is where nothing is said: an empty field. */
const MONEY = { cost_per_day_usd: '0', cost_multiplier: '1' };
const ARROW = /\s*(?:->|→|=>)\s*/;

export const EMPTY_URL = { url: '', weight: '', dialects: [], exact: false };

const NEW = {
  name: '', dialects: ['openai'], urls: [{ url: '', weight: 1, dialects: [], exact: false }], auth: 'auto', models: [], priority: 0, weight: 0, enabled: true,
  key_strategy: 'round_robin', max_concurrency: 0, requests_per_minute: 0, key_max_concurrency: 0, key_requests_per_minute: 0,
  ...MONEY, hours: '', header_rules: [], body_rules: [], proxy_url: '', check_model: '', note: '', options: {},
};

/** JSON where it reads as JSON, else the text itself. */
function value(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The same back: only a text that would read as JSON needs its quotes. */
const valueText = (said) => (typeof said === 'string' && value(said) === said ? said : JSON.stringify(said));

export const modelLine = ({ name, upstream_name: upstream }) => (upstream ? `${name} -> ${upstream}` : name);

/** One model a line (or between commas); `name -> upstream` where the upstream knows it by another name. */
export function modelsIn(text) {
  return linesIn(text).map((line) => {
    const [name, upstream = ''] = line.split(ARROW);
    return { name, upstream_name: upstream };
  });
}

export const keysIn = (text) => text.split(/[\s,;]+/).filter(Boolean);

export function formOf(channel) {
  const said = { ...NEW, ...channel };
  const own = Object.entries(said.options).map(([name, option]) => [name, fieldText(option)]);
  return {
    ...Object.fromEntries(Object.keys(NEW).map((name) => [name, said[name]])),
    urls: said.urls.map(({ url, weight, dialects, exact }) => ({ url, weight: weight === 1 ? '' : String(weight), dialects, exact })),
    models: said.models.map(modelLine).join('\n'),
    priority: String(said.priority),
    weight: numberText(said.weight),
    ...Object.fromEntries(NUMBERS.map((name) => [name, numberText(said[name])])),
    ...Object.fromEntries(Object.entries(MONEY).map(([name, none]) => [name, said[name] === none ? '' : said[name]])),
    body_rules: said.body_rules.map((rule) => ({ action: rule.action, path: rule.path, value: rule.action === 'set' ? valueText(rule.value) : '' })),
    options: Object.fromEntries(own),
    keys: '',
  };
}

/** A form as a provider of the list begins it; what was typed of keys and models stays. */
export const formFrom = ({ name, dialects, urls, auth = 'auto' }, form) => ({
  ...form,
  name,
  dialects: [...dialects],
  auth,
  urls: urls.map((url) => ({ ...EMPTY_URL, ...url, dialects: url.dialects ?? [] })),
});

function bodyRule({ action, path, value: text }) {
  return action === 'set' ? { action, path, value: value(text) } : { action, path };
}

const headerRule = ({ action, name, value: text }) => ({ action, name, value: text ?? '' });

/** What a form says. known: the settings that a channel may have of its own. */
export function channelOf(form, known) {
  const options = Object.entries(form.options).map(([name, text]) => [name, fieldValue(text, known[name] ?? {})]);
  const { keys, ...said } = form;
  return {
    ...said,
    dialects: DIALECTS.filter((name) => form.dialects.includes(name)),
    // those of a dialect that the channel no longer speaks go with it
    urls: form.urls.map((url) => ({ ...url, weight: number(url.weight, 1), dialects: url.dialects.filter((name) => form.dialects.includes(name)) })),
    models: modelsIn(form.models),
    priority: number(form.priority, 0),
    weight: number(form.weight, 0),
    ...Object.fromEntries(NUMBERS.map((name) => [name, number(form[name], 0)])),
    ...Object.fromEntries(Object.entries(MONEY).map(([name, none]) => [name, form[name].trim() || none])),
    header_rules: form.header_rules.map(headerRule),
    body_rules: form.body_rules.map(bodyRule),
    options: Object.fromEntries(options.filter(([, option]) => option !== null)),
  };
}

/** What of a form says how its upstream is asked. */
export function upstreamOf(form, known) {
  const { urls, dialects, auth, proxy_url, header_rules, options } = channelOf(form, known);
  return { urls, dialects, auth, proxy_url, header_rules, options, key: keysIn(form.keys)[0] ?? '' };
}

/** What a form changes. */
export const changesOf = (before, form, known) => changesBetween(channelOf(before, known), channelOf(form, known));
