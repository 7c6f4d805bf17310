import { useLayoutEffect, useRef, useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { addChannel, changeChannel } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { Objection } from '../../components/field.js';
import { Check, Input, Select } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';
import { KeysField } from '../keys/field.js';
import { changesOf, channelOf, formFrom, formOf } from './form.js';
import { Models } from './models.js';
import { Connection, HeadersAndBody, Limits, useKnownOptions } from './more.js';
import { Presets } from './presets.js';
import { DIALECTS } from './state.js';
import { Urls } from './urls.js';

/** Where an objection is shown: everything of a channel has its place, and what is about nothing stands by the buttons. */
const placed = (error, form) => error?.field && error.field.split(/[.[]/)[0] in form;

function Dialects({ form, error, onForm }) {
  const wrong = error?.field === 'dialects' && problemText(error);
  const toggle = (name) => (on) => onForm({ dialects: on ? [...form.dialects, name] : form.dialects.filter((other) => other !== name) });
  return html`
    <fieldset class="dialect-field" aria-describedby=${wrong ? 'dialects-wrong' : 'dialects-hint'}>
      <legend>${t('dialects')}</legend>
      <div class="checks">
        ${DIALECTS.map((name, place) => html`
          <${Check} key=${name} name="dialects" label=${t(`dialect_${name}`)} checked=${form.dialects.includes(name)} wrong=${wrong && place === 0}
            describedBy=${wrong ? 'dialects-wrong' : null} onCheck=${toggle(name)} />`)}
      </div>
      <${Objection} id="dialects" text=${wrong} />
      <p class="hint" id="dialects-hint">${t('dialectsHint')}</p>
    </fieldset>`;
}

function Keys({ channel, form, error, onForm }) {
  const wrong = error?.field?.startsWith('keys') && problemText(error);
  if (channel) {
    return html`
      <p class="keys-line"><b>${t('keys')}</b> ${t('keysActive', channel.keys)}
        <a href="#/channels/${channel.id}/keys">${t('manageKeys')}</a></p>`;
  }
  return html`
    <${KeysField} text=${form.keys} rows=${3} class="mono" hint=${t('keysHint')} wrong=${wrong} onText=${(keys) => onForm({ keys })} />`;
}

function Fields({ channel, form, error, known, onForm }) {
  const wrong = (name) => error?.field === name && problemText(error);
  const text = (name) => ({ name, text: form[name], wrong: wrong(name), onText: (value) => onForm({ [name]: value }) });
  return html`
    <${Input} ...${text('name')} label=${t('name')} />
    <${Dialects} form=${form} error=${error} onForm=${onForm} />
    <${Urls} urls=${form.urls} stored=${channel?.urls ?? []} spoken=${form.dialects} error=${error} onUrls=${(urls) => onForm({ urls })} />
    <${Keys} channel=${channel} form=${form} error=${error} onForm=${onForm} />
    <${Models} id=${channel?.id} form=${form} known=${known} error=${error} onText=${(models) => onForm({ models })} />
    <div class="columns-3">
      <${Input} ...${text('priority')} label=${t('priority')} inputmode="numeric" placeholder="0" hint=${t('priorityHint')} />
      <${Input} ...${text('weight')} label=${t('weight')} inputmode="numeric" placeholder=${t('weightByKeys')} hint=${t('weightHint')} />
      <${Select} name="key_strategy" label=${t('keyStrategy')} value=${form.key_strategy} onValue=${(key_strategy) => onForm({ key_strategy })}
        choices=${['round_robin', 'sequential'].map((name) => [name, t(`strategy_${name}`)])} hint=${t(`strategyHint_${form.key_strategy}`)} />
    </div>
    <${Input} ...${text('note')} label=${t('note')} area rows=${2} spellcheck=${true} />
    <${Limits} form=${form} error=${error} onForm=${onForm} />
    <${Connection} form=${form} error=${error} known=${known} onForm=${onForm} />
    <${HeadersAndBody} form=${form} error=${error} onForm=${onForm} />`;
}

/** Adds a channel, or changes the one that is given. */
export function ChannelDialog({ channel, onClose, onChanged }) {
  const [before] = useState(() => formOf(channel));
  const [form, setForm] = useState(before);
  const [preset, setPreset] = useState(channel ? null : undefined);
  const known = useKnownOptions();
  const moved = useRef(false);
  useLayoutEffect(() => {
    // the button that was pressed is gone
    if (moved.current) document.querySelector(preset === undefined ? '.presets button' : '#name').focus();
    moved.current = true;
  }, [preset]);
  const onForm = (changes) => setForm({ ...form, ...changes });
  const choose = (provider) => {
    setPreset(provider);
    if (provider) setForm(formFrom(provider, form));
  };
  const { error, busy, start } = useAction(
    async () => {
      if (channel) return changeChannel(channel.id, changesOf(before, form, known));
      const { channel: { id }, task } = await addChannel({ ...channelOf(form, known), keys: form.keys });
      // where it is seen how its many keys are added
      if (task) location.hash = `#/channels/${id}/keys`;
    },
    () => onChanged(t(channel ? 'saved' : 'added', { prefix: form.name.trim() })),
  );
  const chosen = preset !== undefined;
  return html`
    <${Dialog} wide title=${channel ? t('editNamed', { prefix: channel.name }) : t('addChannel')} action=${chosen && t(channel ? 'save' : 'addChannel')}
      busy=${busy} problem=${error && !placed(error, form) && problemText(error)} onSubmit=${start} onClose=${onClose}>
      ${!channel && html`<${Presets} chosen=${preset} onChoose=${choose} />`}
      ${chosen && html`<${Fields} channel=${channel} form=${form} error=${error} known=${known} onForm=${onForm} />`}
    <//>`;
}
