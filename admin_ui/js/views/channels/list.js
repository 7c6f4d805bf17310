import { useState } from '../../../vendor/preact/hooks.mjs';
import { doing } from '../../action.js';
import { changeChannel, endRests, readChannels } from '../../api.js';
import { Banner } from '../../components/banner.js';
import { Icon } from '../../components/icons.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { useDialog } from '../../open_dialog.js';
import { useReading } from '../../reading.js';
import { changeQuery, useRoute } from '../../route.js';
import { CsvExportDialog } from './csv/export.js';
import { CsvImportDialog } from './csv/import.js';
import { CopyDialog, DeleteDialog } from './dialogs.js';
import { ChannelDialog } from './editor.js';
import { Filters } from './filters.js';
import { ReorderDialog } from './reorder.js';
import { Row } from './row.js';
import { TestDialog } from './test.js';

const PAGE = 50;
const DIALOGS = {
  add: ChannelDialog, edit: ChannelDialog, copy: CopyDialog, delete: DeleteDialog, test: TestDialog, reorder: ReorderDialog,
  csvImport: CsvImportDialog, csvExport: CsvExportDialog,
};

const Empty = ({ onAdd }) => html`
  <div class="empty">
    <h2>${t('noChannels')}</h2>
    <p class="soft">${t('noChannelsText')}</p>
    <button type="button" class="primary" onClick=${onAdd}><${Icon} name="add" />${t('addChannel')}</button>
  </div>`;

const NothingFound = () => html`
  <div class="empty">
    <p class="soft">${t('noChannelFits')}</p>
    <button type="button" onClick=${() => changeQuery({ q: '', model: '', dialect: '', state: '' })}>${t('clearFilters')}</button>
  </div>`;

const Table = ({ channels, act, attempt }) => html`
  <table class="list-table channels-table">
    <thead><tr>
      <th scope="col"><span class="unseen">${t('state_enabled')}</span></th>
      <th scope="col">${t('channel')}</th><th scope="col">${t('state')}</th><th scope="col">${t('priority')}</th>
      <th scope="col">${t('health')}</th><th scope="col">${t('keys')}</th><th scope="col">${t('models')}</th>
      <th scope="col">${t('actions')}</th>
    </tr></thead>
    <tbody>
      ${channels.map((channel) => html`
        <${Row} key=${channel.id} channel=${channel} act=${act}
          onSwitch=${() => attempt(
            () => changeChannel(channel.id, { enabled: !channel.enabled }),
            t(channel.enabled ? 'channelDisabled' : 'channelEnabled', { name: channel.name }),
          )}
          onEndRests=${() => attempt(() => endRests(channel.id), t('restsEnded', { name: channel.name }))} />`)}
    </tbody>
  </table>`;

export function ChannelList() {
  const { query: { q = '', model = '', dialect = '', state = '' } } = useRoute();
  const asked = { q, model, dialect, state };
  const filtered = Object.values(asked).some(Boolean);
  const [most, setMost] = useState(PAGE);
  const { data, problem, load } = useReading(() => readChannels(asked, most), JSON.stringify([asked, most]));
  const { dialog, setDialog, close, changed } = useDialog(load);

  const attempt = doing(load);
  const act = (kind, channel = null) => setDialog({ kind, channel });
  const Open = dialog && DIALOGS[dialog.kind];
  const channels = data?.channels ?? [];

  return html`
    <section class="panel channels">
      <div class="panel-head">
        <h1>${t('channels')}</h1>
        <a class="button" href="#/channels/explain"><${Icon} name="route" />${t('explain')}</a>
        ${(filtered || channels.length > 1) && html`<button type="button" onClick=${() => act('reorder')}><${Icon} name="order" />${t('reorder')}</button>`}
        <button type="button" onClick=${() => act('csvImport')}><${Icon} name="up" />${t('importCsv')}</button>
        ${(filtered || channels.length > 0) && html`<button type="button" onClick=${() => act('csvExport')}><${Icon} name="down" />${t('exportCsv')}</button>`}
        <button type="button" class="primary" onClick=${() => act('add')}><${Icon} name="add" />${t('addChannel')}</button>
      </div>
      <p class="soft">${t('channelsText')}</p>
      ${(filtered || channels.length > 0) && html`<${Filters} asked=${asked} />`}
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${channels.length > 0 && html`<${Table} channels=${channels} act=${act} attempt=${attempt} />`}
      ${data && channels.length === 0 && (filtered ? html`<${NothingFound} />` : html`<${Empty} onAdd=${() => act('add')} />`)}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && channels.length < data.count && html`
        <button type="button" class="more" onClick=${() => setMost(most + PAGE)}>${t('showMore', { n: data.count - channels.length })}</button>`}
      ${channels.length > 0 && html`<footer>${t('channelCount', { n: data.count })}</footer>`}
    </section>
    ${Open && html`<${Open} channel=${dialog.channel} onClose=${close} onChanged=${changed} />`}`;
}
