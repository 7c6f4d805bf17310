import { useRef, useState } from '../../vendor/preact/hooks.mjs';
import { addMapping, deleteMapping, editMapping, readMappings, reloadMappings } from '../api.js';
import { Banner } from '../components/banner.js';
import { Dialog } from '../components/dialog.js';
import { Icon } from '../components/icons.js';
import { toast } from '../components/toasts.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { usePoll } from '../poll.js';
import { problemText } from '../problem.js';

const POLL_MS = 5_000;

/** Runs what a dialog is for: closes it on success, shows the server's words in it otherwise. */
function useAction(run, onDone) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    try {
      await run();
      onDone();
    } catch (failure) {
      setError(problemText(failure));
      setBusy(false);
    }
  };
  return { error, busy, start };
}

function MappingDialog({ mapping, onClose, onChanged }) {
  const adding = mapping === null;
  const [prefix, setPrefix] = useState(mapping?.prefix ?? '');
  const [target, setTarget] = useState(mapping?.target ?? '');
  const { error, busy, start } = useAction(
    () => (adding ? addMapping(prefix.trim(), target.trim()) : editMapping(prefix, target.trim())),
    () => onChanged(t(adding ? 'added' : 'saved', { prefix: prefix.trim() })),
  );
  return html`
    <${Dialog} title=${t(adding ? 'add' : 'editMapping')} action=${t(adding ? 'add' : 'save')} busy=${busy} error=${error}
      onSubmit=${start} onClose=${onClose}>
      <label>${t('prefix')}
        <input name="prefix" value=${prefix} readonly=${!adding} autofocus=${adding} placeholder="/openai" spellcheck="false"
          autocapitalize="off" autocomplete="off" aria-describedby="prefix-hint" onInput=${(event) => setPrefix(event.target.value)} />
      </label>
      <p class="hint" id="prefix-hint">${t(adding ? 'prefixHint' : 'prefixLocked')}</p>
      <label>${t('target')}
        <input name="target" value=${target} autofocus=${!adding} placeholder="https://api.openai.com" spellcheck="false" inputmode="url"
          autocapitalize="off" autocomplete="off" aria-describedby="target-hint" onInput=${(event) => setTarget(event.target.value)} />
      </label>
      <p class="hint" id="target-hint">${t('targetHint')}</p>
    <//>`;
}

function DeleteDialog({ prefixes, onClose, onChanged, onSome }) {
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
      busy=${busy} error=${error} onSubmit=${start} onClose=${onClose}>
      <ul class="names">${prefixes.map((prefix) => html`<li key=${prefix}><code>${prefix}</code></li>`)}</ul>
      <p class="soft">${t('deleteText', { n: prefixes.length })}</p>
    <//>`;
}

function Row({ prefix, target, selected, onSelect, onEdit, onDelete }) {
  return html`
    <tr class=${selected ? 'selected' : ''}>
      <td><input type="checkbox" checked=${selected} aria-label=${t('selectNamed', { prefix })} onChange=${onSelect} /></td>
      <th scope="row"><code>${prefix}</code></th>
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
  const [data, setData] = useState(null);
  const [problem, setProblem] = useState('');
  const [query, setQuery] = useState('');
  const [chosen, setChosen] = useState(new Set());
  const [dialog, setDialog] = useState(null);
  const newest = useRef(0);

  const load = async () => {
    const mine = ++newest.current;
    try {
      const answer = await readMappings();
      // an answer that was overtaken by a later question is older than what is shown
      if (mine === newest.current) setData(answer);
      setProblem('');
    } catch (error) {
      setProblem(error.status === 0 ? t('noAnswerRetrying') : problemText(error));
    }
  };
  usePoll(load, POLL_MS);

  const reload = async () => {
    try {
      const { version } = await reloadMappings();
      await load();
      toast(t('reloaded', { version }));
    } catch (error) {
      toast(problemText(error), 'bad');
    }
  };
  const close = () => {
    setDialog(null);
    load();
  };
  const changed = (said) => {
    close();
    toast(said);
  };

  const openEditor = (mapping) => setDialog({ kind: 'edit', mapping });
  const openDelete = (prefixes) => setDialog({ kind: 'delete', prefixes });
  const all = Object.entries(data?.mappings ?? {}).sort(([a], [b]) => a.localeCompare(b));
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
      ${all.length > 0 && html`
        <table class="mappings-table">
          <thead><tr>
            <th scope="col"><input type="checkbox" checked=${allSelected} indeterminate=${selected.length > 0 && !allSelected}
              aria-label=${t('selectAll')} title=${t('selectAll')} onChange=${selectAll} /></th>
            <th scope="col">${t('prefix')}</th><th scope="col">${t('target')}</th><th scope="col">${t('actions')}</th>
          </tr></thead>
          <tbody>
            ${rows.map(([prefix, target]) => html`
              <${Row} key=${prefix} prefix=${prefix} target=${target} selected=${chosen.has(prefix)}
                onSelect=${() => setChosen(toggled(chosen, prefix))}
                onEdit=${() => openEditor({ prefix, target })} onDelete=${() => openDelete([prefix])} />`)}
          </tbody>
        </table>`}
      ${all.length > 0 && rows.length === 0 && html`<p class="soft empty">${t('nothingFound', { query })}</p>`}
      ${data && all.length === 0 && html`<${Empty} onAdd=${() => openEditor(null)} />`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && html`<footer>${t('footer', { n: data.count, version: String(data.version) })}</footer>`}
    </section>
    ${dialog?.kind === 'edit' && html`
      <${MappingDialog} mapping=${dialog.mapping} onClose=${close} onChanged=${changed} />`}
    ${dialog?.kind === 'delete' && html`
      <${DeleteDialog} prefixes=${dialog.prefixes} onClose=${close} onChanged=${changed}
        onSome=${(prefix) => setChosen((names) => without(names, prefix))} />`}`;
}
