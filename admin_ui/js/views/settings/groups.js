// Settings in their groups.
import { html } from '../../html.js';
import { knows, t } from '../../i18n.js';
import { limitMeaning, limitName } from '../../limits.js';

/** [group, its settings] in their order; settings: [name, setting] each. */
export const inGroups = (settings) => [...new Set(settings.map(([, { group }]) => group))].map((group) => [group, settings.filter(([, one]) => one.group === group)]);

export const groupName = (group) => (knows(`group_${group}`) ? t(`group_${group}`) : group);
export const setHere = (settings) => settings.filter(([, { set }]) => set);

/** Whether a setting is meant by what is searched for: its name in either form, or what it means. */
export const fits = (query) => {
  const wanted = query.trim().toLowerCase();
  return ([name, setting]) => [name, limitName(name), limitMeaning(name, setting)].some((text) => text.toLowerCase().includes(wanted));
};

const idOf = (group) => `group-${group}`;

function show(group) {
  const heading = document.getElementById(idOf(group));
  heading.focus({ preventScroll: true });
  heading.scrollIntoView({ block: 'start' });
}

/** Leads to the groups: there are more settings than a screen holds. */
export const GroupLinks = ({ groups }) => html`
  <nav class="setting-groups" aria-label=${t('groupsOfSettings')}>
    ${groups.map(([group, settings]) => html`
      <button key=${group} type="button" onClick=${() => show(group)}>
        ${groupName(group)}${setHere(settings).length > 0 && html` <span class="badge" title=${t('countSetHere', { n: setHere(settings).length })}>${setHere(settings).length}</span>`}
      </button>`)}
  </nav>`;

export const GroupHead = ({ group, settings, busy, onReset }) => html`
  <tr class="group"><th scope="rowgroup" colspan="4"><div>
    <h2 id=${idOf(group)} tabindex="-1">${groupName(group)}</h2>
    ${setHere(settings).length > 0 && html`
      <span class="soft">${t('countSetHere', { n: setHere(settings).length })}</span>
      <button type="button" class="bare" disabled=${busy} aria-label=${t('resetGroupNamed', { group: groupName(group) })} onClick=${onReset}>${t('resetGroup')}</button>`}
  </div></th></tr>`;
