import { useState } from '../../vendor/preact/hooks.mjs';
import { useAction } from '../action.js';
import { addMapping, deleteMapping, editMapping, mappingIsInReach, readMappings, readSettings, reloadMappings } from '../api.js';
import { Banner } from '../components/banner.js';
import { Dialog } from '../components/dialog.js';
import { Hint, hintOf } from '../components/field.js';
import { Icon } from '../components/icons.js';
import { Option } from '../components/option.js';
import { toast } from '../components/toasts.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { fieldText, fieldValue, limitName, limitText, objection } from '../limits.js';
import { useDialog } from '../open_dialog.js';
import { problemText } from '../problem.js';
import { useReading } from '../reading.js';

const readAll = async () => {
  const [mappings, { settings, mapping_options: only }] = await Promise.all([readMappings(), readSettings()]);
  const known = { ...Object.fromEntries(Object.entries(settings).filter(([, setting]) => setting.per_mapping)), ...only };
  return { ...mappings, settings, known };
};

const count = (names) => Object.keys(names).length;

/** One field for each option that a mapping may have, `known` by the server; closed at first. */
function Options({ known, texts, objections, onTexts }) {
  const own = Object.keys(known).filter((name) => texts[name]?.trim()).length;
  return html`
    <details class="options">
      <summary>${t('options')} ${own > 0 ? html`<span class="badge">${own}</span>` : html`<small>${t('ownNone')}</small>`}</summary>
      <p class="hint">${t('ownHint')}</p>
      <div class="option-fields">
        ${Object.entries(known).map(([name, setting]) => html`
          <${Option} key=${name} name=${name} setting=${setting} text=${texts[name] ?? ''} wrong=${objections[name]}
            onText=${(text) => onTexts({ ...texts, [name]: text })} />`)}
      </div>
    </details>`;
}

const optionsOf = (texts, known) => Object.fromEntries(
  Object.entries(texts).map(([name, text]) => [name, fieldValue(text, known[name])]).filter(([, value]) => value !== null),
);

function MappingDialog({ mapping, known, onClose, onChanged }) {
  const adding = mapping === null;
  const [prefix, setPrefix] = useState(mapping?.prefix ?? '');
  const [target, setTarget] = useState(mapping?.target ?? '');
  const [texts, setTexts] = useState(null);
  const before = Object.fromEntries(Object.entries(mapping?.options ?? {}).map(([name, value]) => [name, fieldText(value)]));
  const { error, busy, start } = useAction(
    () => {
      // untouched options are not sent, so that they do not undo what somebody else set meanwhile
      const options = texts ? optionsOf(texts, known) : undefined;
      return adding ? addMapping(prefix.trim(), target.trim(), options) : editMapping(prefix, target.trim(), options);
    },
    () => onChanged(t(adding ? 'added' : 'saved', { prefix: prefix.trim() })),
  );
  // What the server objects to, by field; what is about none of them stands beside the buttons.
  const wrong = { prefix: adding && error?.field === 'prefix', target: error?.field === 'target' };
  const objections = Object.fromEntries(
    Object.entries(known).map(([name, setting]) => [name, objection(error, `options.${name}`, setting)]),
  );
  const elsewhere = error && !wrong.prefix && !wrong.target && !Object.values(objections).some(Boolean);
  return html`
    <${Dialog} title=${t(adding ? 'add' : 'editMapping')} action=${t(adding ? 'add' : 'save')} busy=${busy}
      problem=${elsewhere && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <label>${t('prefix')}
        <input name="prefix" value=${prefix} readonly=${!adding} autofocus=${adding} placeholder="/openai" spellcheck=${false}
          autocapitalize="off" autocomplete="off" aria-invalid=${wrong.prefix} aria-describedby=${hintOf('prefix', wrong.prefix)}
          onInput=${(event) => setPrefix(event.target.value)} />
      </label>
      <${Hint} id="prefix" text=${t(adding ? 'prefixHint' : 'prefixLocked')} wrong=${wrong.prefix && problemText(error)} />
      <label>${t('target')}
        <input name="target" value=${target} autofocus=${!adding} placeholder="https://api.openai.com" spellcheck=${false} inputmode="url"
          autocapitalize="off" autocomplete="off" aria-invalid=${wrong.target} aria-describedby=${hintOf('target', wrong.target)}
          onInput=${(event) => setTarget(event.target.value)} />
      </label>
      <${Hint} id="target" text=${t('targetHint')} wrong=${wrong.target && problemText(error)} />
      ${count(known) > 0 && html`
        <${Options} known=${known} texts=${texts ?? before} objections=${objections} onTexts=${setTexts} />`}
    <//>`;
}

function DeleteDialog({ prefixes, rejected, onClose, onChanged, onSome }) {
  const { error, busy, start } = useAction(
    async () => {
      for (const prefix of prefixes) {
        // 404: somebody else deleted it meanwhile, which is what was wanted
        await deleteMapping(prefix).catch((failure) => { if (failure.status !== 404) throw failure; });
        onSome(prefix);
      }
    },
    () => onChanged(t('deleted', { n: prefixes.length })),
  );
  return html`
    <${Dialog} title=${prefixes.length === 1 ? t('deleteOne') : t('deleteMany', { n: prefixes.length })} action=${t('delete')} danger
      busy=${busy} problem=${error && problemText(error)} onSubmit=${start} onClose=${onClose}>
      <ul class="names">${prefixes.map((prefix) => html`<li key=${prefix}><code>${prefix}</code></li>`)}</ul>
      <p class="soft">${t(rejected ? 'rejectedDeleteText' : 'deleteText', { n: prefixes.length })}</p>
    <//>`;
}

function reasonText(error, settings) {
  const name = error.field?.replace(/^options\./, '');
  if (!Object.hasOwn(settings, name)) return problemText(error);
  return `${limitName(name)}: ${objection(error, error.field, settings[name])}`;
}

/** What is stored but makes no sense, and why. Somebody wrote it by hand. */
function Rejected({ entries, errors, settings, known, onDelete }) {
  return html`
    <section class="banner warn rejected" aria-labelledby="rejected-title">
      <h2 id="rejected-title">${t('rejected', { n: entries.length })}</h2>
      <ul>
        ${entries.map(([name, reason]) => html`
          <li key=${name}>
            <div><code>${name}</code> <span title=${reason}>${reasonText(errors[name], { ...settings, ...known })}</span></div>
            ${mappingIsInReach(name) && html`
              <button type="button" aria-label=${t('deleteNamed', { prefix: name })} onClick=${() => onDelete(name)}>${t('delete')}</button>`}
            ${Object.hasOwn(settings, name) && html`<a class="button" href="#/settings">${t('setAnew')}</a>`}
          </li>`)}
      </ul>
      ${entries.some(([name]) => !mappingIsInReach(name) && !Object.hasOwn(settings, name)) && html`<p class="soft">${t('rejectedElsewhere')}</p>`}
    </section>`;
}

const optionsText = (options, known) =>
  Object.entries(options).map(([name, value]) => `${limitName(name)}: ${limitText(name, known[name], value)}`).join('\n');

function Row({ prefix, target, options, known, selected, onSelect, onEdit, onDelete }) {
  return html`
    <tr class=${selected ? 'selected' : ''}>
      <td><input type="checkbox" checked=${selected} aria-label=${t('selectNamed', { prefix })} onChange=${onSelect} /></td>
      <th scope="row"><code>${prefix}</code>
        ${count(options) > 0 && html` <span class="badge" title=${optionsText(options, known)}>${t('ownOptions', { n: count(options) })}</span>`}
      </th>
      <td><code class="soft">${target}</code></td>
      <td class="row-actions">
        <button type="button" aria-label=${t('editNamed', { prefix })} title=${t('editNamed', { prefix })} onClick=${onEdit}><${Icon} name="edit" /></button>
        <button type="button" aria-label=${t('deleteNamed', { prefix })} title=${t('deleteNamed', { prefix })} onClick=${onDelete}><${Icon} name="trash" /></button>
      </td>
    </tr>`;
}

const Empty = ({ onAdd }) => html`
  <div class="empty">
    <h2>${t('noMappings')}</h2>
    <p class="soft">${t('noMappingsText')}</p>
    <button type="button" class="primary" onClick=${onAdd}><${Icon} name="add" />${t('add')}</button>
  </div>`;

const without = (names, name) => new Set([...names].filter((other) => other !== name));
const toggled = (names, name) => (names.has(name) ? without(names, name) : new Set([...names, name]));

export function Mappings() {
  const { data, problem, load } = useReading(readAll);
  const [query, setQuery] = useState('');
  const [chosen, setChosen] = useState(new Set());
  const { dialog, setDialog, close, changed } = useDialog(load);

  const reload = async () => {
    try {
      const { version } = await reloadMappings();
      await load();
      toast(t('reloaded', { version }));
    } catch (error) {
      toast(problemText(error), 'bad');
    }
  };

  const openEditor = (mapping) => setDialog({ kind: 'edit', mapping });
  const openDelete = (prefixes, rejected = false) => setDialog({ kind: 'delete', prefixes, rejected });
  const all = Object.entries(data?.mappings ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const optionsFor = (prefix) => data.options[prefix] ?? {};
  const rejected = Object.entries(data?.rejected ?? {});
  const wanted = query.trim().toLowerCase();
  const rows = all.filter(([prefix, target]) => prefix.toLowerCase().includes(wanted) || target.toLowerCase().includes(wanted));
  // What is not on the screen is never deleted with the rest.
  const selected = rows.map(([prefix]) => prefix).filter((prefix) => chosen.has(prefix));
  const allSelected = rows.length > 0 && selected.length === rows.length;
  const selectAll = () => setChosen(new Set(allSelected ? [] : rows.map(([prefix]) => prefix)));

  return html`
    <section class="panel mappings">
      <div class="panel-head">
        <h1>${t('mappings')}</h1>
        <input type="search" value=${query} placeholder=${t('search')} aria-label=${t('search')} onInput=${(event) => setQuery(event.target.value)} />
        ${selected.length > 0 && html`
          <button type="button" class="danger" onClick=${() => openDelete(selected)}>${t('deleteSelected', { n: selected.length })}</button>`}
        <button type="button" onClick=${reload}><${Icon} name="refresh" />${t('refresh')}</button>
        <button type="button" class="primary" onClick=${() => openEditor(null)}><${Icon} name="add" />${t('add')}</button>
      </div>
      <p class="soft">${t('mappingsText')}</p>
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${rejected.length > 0 && html`
        <${Rejected} entries=${rejected} errors=${data.rejected_errors} settings=${data.settings} known=${data.known} onDelete=${(prefix) => openDelete([prefix], true)} />`}
      ${all.length > 0 && html`
        <table class="mappings-table">
          <thead><tr>
            <th scope="col" data-label=${t('selectAll')}><input type="checkbox" checked=${allSelected} indeterminate=${selected.length > 0 && !allSelected}
              aria-label=${t('selectAll')} title=${t('selectAll')} onChange=${selectAll} /></th>
            <th scope="col">${t('prefix')}</th><th scope="col">${t('target')}</th><th scope="col">${t('actions')}</th>
          </tr></thead>
          <tbody>
            ${rows.map(([prefix, target]) => html`
              <${Row} key=${prefix} prefix=${prefix} target=${target} options=${optionsFor(prefix)} known=${data.known} selected=${chosen.has(prefix)}
                onSelect=${() => setChosen(toggled(chosen, prefix))}
                onEdit=${() => openEditor({ prefix, target, options: optionsFor(prefix) })} onDelete=${() => openDelete([prefix])} />`)}
          </tbody>
        </table>`}
      ${all.length > 0 && rows.length === 0 && html`<p class="soft empty">${t('nothingFound', { query })}</p>`}
      ${data && all.length === 0 && html`<${Empty} onAdd=${() => openEditor(null)} />`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`<footer>${t('footer', { n: data.count, version: String(data.version) })}</footer>`}
    </section>
    ${dialog?.kind === 'edit' && html`
      <${MappingDialog} mapping=${dialog.mapping} known=${data?.known ?? {}} onClose=${close} onChanged=${changed} />`}
    ${dialog?.kind === 'delete' && html`
      <${DeleteDialog} prefixes=${dialog.prefixes} rejected=${dialog.rejected} onClose=${close} onChanged=${changed}
        onSome=${(prefix) => setChosen((names) => without(names, prefix))} />`}`;
}
