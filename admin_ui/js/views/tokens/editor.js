import { useEffect, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { addToken, changeToken, readMappings } from '../../api.js';
import { Checklist } from '../../components/checklist.js';
import { Dialog } from '../../components/dialog.js';
import { Objection } from '../../components/field.js';
import { Check, Input, Select } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { checkTime, linesIn } from '../../typed.js';
import { BUDGETS, HERE, ZONES, changesOf, formOf, tokenOf } from './form.js';
import { Secret } from './secret.js';


const toggled = (all, one) => (all.includes(one) ? all.filter((other) => other !== one) : [...all, one]);

/** What is wrong with a field, by its name or that of what it is part of. */
const objector = (error) => (name) => error?.field?.split('[')[0] === name && problemText(error, 'token');

/** Where an objection is shown; what is about nothing here stands by the buttons. */
const placed = (error, form) => error?.field && error.field.split(/[.[]/)[0] in form;

/** Models that the channels serve, to choose from; patterns and others are typed. */
function Models({ form, channels, wrong, onForm }) {
  const [open, setOpen] = useState(false);
  const said = linesIn(form.models);
  const served = [...new Set(channels.flatMap(({ models }) => models.map(({ name }) => name)))].filter((name) => name !== '*').sort();
  return html`
    <div class="models-field">
      <${Input} name="models" label=${t('models')} unit=${said.length > 0 ? t('modelCount', { n: said.length }) : t('allModels')} text=${form.models} area
        rows=${Math.min(8, Math.max(2, said.length + 1))} placeholder=${'claude-*\ngpt-5-mini'} hint=${t('tokenModelsHint')} wrong=${wrong('models')}
        onText=${(models) => onForm({ models })} />
      ${served.length > 0 && html`
        <button type="button" class="bare small beside" aria-expanded=${open} onClick=${() => setOpen(!open)}>${t(open ? 'close' : 'chooseModels')}</button>`}
      ${open && html`
        <div class="chosen-of" role="group" aria-label=${t('chooseModels')}>
          <${Checklist} name="served" items=${served.map((name) => [name, name])} chosen=${said} search=${t('searchModels')}
            onToggle=${(name) => onForm({ models: toggled(said, name).join('\n') })} />
        </div>`}
    </div>`;
}

/** One of channels and mappings: those that there are, and what was named and has gone. */
function RouteList({ name, title, items, routes, wrong, onRoutes }) {
  const gone = routes[name].filter((value) => !items.some(([known]) => known === value)).map((value) => [value, t('goneRoute', { name: value })]);
  if (items.length + gone.length === 0) return null;
  return html`
    <div class="chosen-of" role="group" aria-label=${title}>
      <b>${title}</b>
      <${Checklist} name=${name} items=${[...items, ...gone]} chosen=${routes[name]} search=${t('find')}
        onToggle=${(value) => onRoutes({ ...routes, [name]: toggled(routes[name], value) })} />
      <${Objection} id="routes.${name}" text=${wrong(`routes.${name}`)} />
    </div>`;
}

function Routes({ form: { routes }, channels, wrong, onForm }) {
  const [prefixes, setPrefixes] = useState([]);
  useEffect(() => {
    // without them the routes stay as they are
    readMappings().then(({ mappings }) => setPrefixes(Object.keys(mappings).sort()), () => {});
  }, []);
  const onRoutes = (next) => onForm({ routes: next });
  const list = { routes, wrong, onRoutes };
  return html`
    <${Select} name="routes" label=${t('routes')} value=${routes.mode} onValue=${(mode) => onRoutes({ ...routes, mode })}
      choices=${['all', 'allow', 'deny'].map((mode) => [mode, t(`routeMode_${mode}`)])} hint=${t(`routeHint_${routes.mode}`)} />
    ${routes.mode !== 'all' && html`
      <div class="columns-2">
        <${RouteList} name="channels" title=${t('channels')} items=${channels.map(({ id, name }) => [id, name])} ...${list} />
        <${RouteList} name="mappings" title=${t('mappings')} items=${prefixes.map((prefix) => [prefix, prefix])} ...${list} />
      </div>`}`;
}

function Money({ form, wrong, onForm }) {
  const { budgets } = form;
  return html`
    <fieldset>
      <legend>${t('budgets')}</legend>
      <div class="columns-2">
        ${BUDGETS.map((name) => html`
          <${Input} key=${name} name=${name} label=${t(`budget_${name}`)} unit="USD" text=${budgets[name]} inputmode="decimal" placeholder=${t('unlimited')}
            wrong=${wrong(`budgets.${name}`)} onText=${(text) => onForm({ budgets: { ...budgets, [name]: text } })} />`)}
        <${Input} name="time_zone" label=${t('zone')} text=${form.time_zone} list="zones" placeholder="UTC" hint=${t('zoneHint')} wrong=${wrong('time_zone')}
          onText=${(time_zone) => onForm({ time_zone })} />
      </div>
      <datalist id="zones">${ZONES.map((zone) => html`<option key=${zone} value=${zone} />`)}</datalist>
    </fieldset>`;
}

function Fields({ form, channels, error, onForm }) {
  const wrong = objector(error);
  const text = (name) => ({ name, text: form[name], wrong: wrong(name), onText: (value) => onForm({ [name]: value }) });
  return html`
    <${Input} ...${text('name')} label=${t('name')} autofocus />
    <${Models} form=${form} channels=${channels} wrong=${wrong} onForm=${onForm} />
    <${Routes} form=${form} channels=${channels} wrong=${wrong} onForm=${onForm} />
    <${Money} form=${form} wrong=${wrong} onForm=${onForm} />
    <div class="columns-3">
      <${Input} ...${text('requests_per_minute')} label=${t('tokenRate')} inputmode="numeric" placeholder=${t('unlimited')} />
      <${Input} ...${text('max_concurrency')} label=${t('tokenAtOnce')} inputmode="numeric" placeholder=${t('unlimited')} />
      <${Input} ...${text('expires_at_ms')} label=${t('expires')} type="datetime-local" hint=${t('expiresHint', { zone: HERE })} />
    </div>
    <div>
      <${Check} name="web_pages" label=${t('opensWebPages')} checked=${form.web_pages} describedBy="web-pages-hint" onCheck=${(on) => onForm({ web_pages: on })} />
      <p class="hint" id="web-pages-hint">${t('opensWebPagesHint')}</p>
    </div>
    <${Input} ...${text('note')} label=${t('note')} area rows=${2} spellcheck=${true} />`;
}

/** Makes an access token, and then shows its secret, this once; or changes the one that is given. */
export function TokenDialog({ token, channels, onClose, onChanged }) {
  const [before] = useState(() => formOf(token));
  const [form, setForm] = useState(before);
  const [made, setMade] = useState(null);
  const name = form.name.trim();
  const { error, busy, start } = useAction(
    async () => {
      checkTime('expires_at_ms');
      if (token) {
        await changeToken(token.id, changesOf(before, form));
        onChanged(t('saved', { prefix: name }));
      } else {
        setMade(await addToken(tokenOf(form)));
      }
    },
    () => {},
  );
  if (made) return html`<${Secret} made=${made} channels=${channels} onClose=${onClose} />`;
  return html`
    <${Dialog} wide title=${token ? t('editNamed', { prefix: token.name }) : t('addToken')} action=${t(token ? 'save' : 'addToken')} busy=${busy}
      problem=${error && !placed(error, form) && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <${Fields} form=${form} channels=${channels} error=${error} onForm=${(changes) => setForm({ ...form, ...changes })} />
    <//>`;
}
