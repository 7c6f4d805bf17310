// The calls: those that go on, and the log. #/logs lists them, #/logs/<request id> shows one of them besides.
import { useEffect, useState } from '../../vendor/preact/hooks.mjs';
import { countLogs, readLogs } from '../api.js';
import { Banner } from '../components/banner.js';
import { PageFoot } from '../components/pages.js';
import { Cost, Tokens } from '../components/used.js';
import { moment } from '../format.js';
import { html } from '../html.js';
import { t } from '../i18n.js';
import { usePages } from '../pages.js';
import { useReading } from '../reading.js';
import { changeQuery, useRoute } from '../route.js';
import { NOTHING, askedIn, isNarrowed, toAsk } from './logs/asked.js';
import { CallDialog } from './logs/call.js';
import { FileActions } from './logs/file.js';
import { Filters } from './logs/filters.js';
import { Live } from './logs/live.js';
import { Caller, LedTo, Model, Outcome, Times, logsAddress } from './logs/parts.js';

const PAGE = 50;

const Row = ({ row, attempts }) => html`
  <tr>
    <th scope="row" class="stacked">
      <a href=${logsAddress({}, row.request_id)} aria-label=${t('showCall', { when: moment(row.at_ms) })}>${moment(row.at_ms)}</a>
      ${row.attempt > (attempts ? 0 : 1) && html`<span class="soft small-text">${t('attemptNumber', { n: row.attempt })}</span>`}
    </th>
    <td class="stacked" data-label=${t('outcome')}><${Outcome} row=${row} /></td>
    <td class="stacked" data-label=${t('model')}><${Model} row=${row} /></td>
    <td class="stacked" data-label=${t('ledTo')}><${LedTo} row=${row} narrows /></td>
    <td class="stacked" data-label=${t('caller')}><${Caller} row=${row} /></td>
    <td data-label=${t('times')}><${Times} row=${row} /></td>
    <td class="stacked" data-label=${t('tokensInOut')}><${Tokens} usage=${row.usage} /></td>
    <td data-label=${t('cost')}><${Cost} cost=${row.cost_usd} unpriced=${row.unpriced} /></td>
  </tr>`;

const Table = ({ rows, attempts }) => html`
  <table class="logs-table">
    <thead><tr>
      <th scope="col">${t('when')}</th><th scope="col">${t('outcome')}</th><th scope="col">${t('model')}</th><th scope="col">${t('ledTo')}</th>
      <th scope="col">${t('caller')}</th><th scope="col">${t('times')}</th><th scope="col">${t('tokensInOut')}</th><th scope="col">${t('cost')}</th>
    </tr></thead>
    <tbody>${rows.map((row) => html`<${Row} key=${row.id} row=${row} attempts=${attempts} />`)}</tbody>
  </table>`;

const Nothing = ({ filtered }) => filtered
  ? html`
    <div class="empty">
      <p class="soft">${t('noLogFits')}</p>
      <button type="button" onClick=${() => changeQuery(NOTHING)}>${t('clearFilters')}</button>
    </div>`
  : html`<div class="empty"><h2>${t('noLogs')}</h2><p class="soft">${t('noLogsText')}</p></div>`;

/** How many rows fit, asked once for each filter; empty until it is known. */
function useCount(asked, what) {
  const [counted, setCounted] = useState('');
  useEffect(() => {
    let ended = false;
    setCounted('');
    // without it the list is as good
    countLogs(asked).then(({ count, is_more: isMore }) => { if (!ended) setCounted(t(isMore ? 'rowsFitMore' : 'rowsFit', { n: count })); }, () => {});
    return () => { ended = true; };
  }, [what]);
  return counted;
}

function Log({ query }) {
  const said = askedIn(query);
  const asked = toAsk(said);
  const what = JSON.stringify(asked);
  const pages = usePages(what);
  const { data, problem, load } = useReading(() => readLogs({ ...asked, after: pages.after, limit: PAGE }), JSON.stringify([what, pages.after]));
  const counted = useCount(asked, what);
  const rows = data?.logs ?? [];
  const isFiltered = isNarrowed(said);
  return html`
    <section class="panel channels logs">
      <div class="panel-head">
        <h2>${t('theLog')} ${counted && html`<small>${counted}</small>`}</h2>
        <${FileActions} asked=${asked} load=${load} />
      </div>
      <p class="soft">${t('logsText')}</p>
      <${Filters} asked=${said} />
      ${problem && html`<${Banner} kind="bad">${problem}<//>`}
      ${rows.length > 0 && html`<${Table} rows=${rows} attempts=${said.rows === 'all'} />`}
      ${data && rows.length === 0 && html`<${Nothing} filtered=${isFiltered || pages.after} />`}
      ${!data && !problem && html`<p class="soft empty">${t('loading')}</p>`}
      ${data && (pages.number > 0 || data.next) && html`<${PageFoot} pages=${pages} next=${data.next} />`}
    </section>`;
}

export function Logs() {
  const { rest: [id], query } = useRoute();
  return html`
    <h1 class="unseen">${t('logs')}</h1>
    <${Live} />
    <${Log} query=${query} />
    ${id && html`<${CallDialog} key=${id} id=${id} onClose=${() => { location.hash = logsAddress({}); }} />`}`;
}
