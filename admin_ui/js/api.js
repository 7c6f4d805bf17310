// The only file that calls fetch. Answers become values; everything else becomes an ApiError.

const TIMEOUT_MS = 10_000;
/** For what waits for an upstream, which the gateway ends after 120 s; and for files. */
const LONG_TIMEOUT_MS = 130_000;

/** status 0: no answer at all. code: the server's word for what is wrong; field: the value to blame; message: its own sentence. Each may be empty. */
export class ApiError extends Error {
  constructor(status, { code = '', field = '', message = '', retryAfterS = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, field, retryAfterS });
  }
}

let tellSignedOut = () => {};

/** Called whenever the server no longer knows our session. */
export function onSignedOut(listener) {
  tellSignedOut = listener;
}

const asJson = (response) => response.json();

/** body: a file, or what becomes JSON. headers: more of them, or others. */
async function call(method, path, body, timeoutMs = TIMEOUT_MS, read = asJson, headers = {}) {
  const options = { method, headers, cache: 'no-cache', credentials: 'same-origin', signal: AbortSignal.timeout(timeoutMs) };
  if (method !== 'GET') {
    const isFile = body instanceof Blob;
    options.headers = { 'Content-Type': isFile ? 'application/octet-stream' : 'application/json', 'X-Requested-With': 'fetch', ...headers };
    options.body = isFile ? body : JSON.stringify(body ?? {});
  }
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = await (response.ok ? read : asJson)(response).catch((error) => {
      if (error.name === 'SyntaxError') return null;
      throw error;
    });
  } catch {
    throw new ApiError(0);
  }
  if (response.ok && answer) return answer;
  throw refusal(response, answer);
}

function refusal(response, answer) {
  if (response.status === 401) tellSignedOut();
  return new ApiError(response.status, {
    ...said(answer),
    retryAfterS: Number(response.headers.get('Retry-After')) || 0,
  });
}

// The admin API has the code beside its sentence, the rest of the gateway within the error.
function said(answer) {
  const error = answer?.error;
  return typeof error === 'object' ? { ...error } : { message: error, code: answer?.code, field: answer?.field };
}

const mappingPath = (prefix) =>
  `/api/mappings/${prefix.replace(/^\//, '').split('/').map(encodeURIComponent).join('/')}`;

/** False for names that the API's addresses cannot express: without a slash at the front, or with segments that browsers resolve. */
export const mappingIsInReach = (prefix) =>
  prefix.startsWith('/') && prefix.length > 1 && new URL(mappingPath(prefix), location.href).pathname === mappingPath(prefix);

/** What the dashboard shows of a span: 1h, 24h, 7d or 30d. endpoint: whose figures and chart; empty: all. */
export const readPanel = (span, endpoint) => call('GET', `/stats/${span}${endpoint && `?endpoint=${encodeURIComponent(endpoint)}`}`);
/** Whether Redis answers the gateway; where it does not and nothing can be served, /health is an error. */
export const redisAnswers = () => call('GET', '/health').then(({ redis }) => redis, () => false);

export const logIn = (token) => call('POST', '/api/admin/login', { token });
export const logOut = () => call('POST', '/api/admin/logout');

export const readMappings = () => call('GET', '/api/mappings');
// Without options those of the mapping stay as they are; with them they are replaced whole.
export const addMapping = (prefix, target, options) => call('POST', '/api/mappings', { prefix, target, options });
export const editMapping = (prefix, target, options) => call('PUT', mappingPath(prefix), { target, options });
export const deleteMapping = (prefix) => call('DELETE', mappingPath(prefix));
export const reloadMappings = () => call('POST', '/api/mappings/reload');

export const readSettings = () => call('GET', '/api/settings');
export const changeSettings = (values) => call('PUT', '/api/settings', values);
export const resetSettings = (names) => call('POST', '/api/settings/reset', { names });

const asking = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
const channelPath = (id) => `/api/channels/${encodeURIComponent(id)}`;
const keysPath = (id) => `${channelPath(id)}/keys`;
const keyPath = (id, key) => `${keysPath(id)}/${encodeURIComponent(key)}`;

const PAGE = 500;

/** As many of a list as fit in `most`, page by page, and how many there are. */
async function readList(path, noun, asked, most) {
  const found = [];
  let page = { next: '' };
  do {
    page = await call('GET', `${path}?${asking({ ...asked, limit: Math.min(PAGE, most - found.length), after: page.next })}`);
    found.push(...page[noun]);
  } while (page.next && found.length < most);
  return { ...page, [noun]: found };
}

/** asked: dialect, model, state, q; each may be empty. */
export const readChannels = (asked, most) => readList('/api/channels', 'channels', asked, most);
export const readChannel = (id) => call('GET', channelPath(id)).then(({ channel }) => channel);
/** With many keys the answer has the task that adds them, too. */
export const addChannel = (channel) => call('POST', '/api/channels', channel, LONG_TIMEOUT_MS);
export const changeChannel = (id, changes) => call('PUT', channelPath(id), changes);
export const deleteChannel = (id) => call('DELETE', channelPath(id));
export const copyChannel = (id, name, keys) => call('POST', `${channelPath(id)}/copy`, { name, keys });
export const reorderChannels = (ids) => call('POST', '/api/channels/reorder', { ids });
export const endRests = (id) => call('DELETE', `${channelPath(id)}/cooldown`);
export const testChannel = (id, asked) => call('POST', `${channelPath(id)}/test`, asked, LONG_TIMEOUT_MS).then(({ test }) => test);
/** The models that a stored channel's upstream has, or that of urls which are about to be stored. */
export const fetchModels = (id, said) =>
  call('POST', id ? `${channelPath(id)}/models/fetch` : '/api/channels/models/fetch', id ? {} : said, LONG_TIMEOUT_MS);
export const explain = (asked) => call('POST', '/api/explain', asked).then(({ explanation }) => explanation);

/** What is answered as a file: its content and its name. */
const readFile = (path, headers) =>
  call('GET', path, null, LONG_TIMEOUT_MS, async (response) => ({
    content: await response.blob(),
    name: /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition'))?.[1] ?? 'file.txt',
  }), headers);

export const exportChannels = (secrets) => readFile(`/api/channels/export?secrets=${secrets}`);
/** What became of a CSV file, or with `preview` would. */
export const importChannels = (file, preview) => call('POST', `/api/channels/import?preview=${preview}`, file, LONG_TIMEOUT_MS);

/** One page. asked: state, q, limit, after; each may be empty. */
export const readKeys = (id, asked) => call('GET', `${keysPath(id)}?${asking(asked)}`);
/** file: a text, JSON or CSV. Where they are many, the answer is the task that adds them. */
export const addKeys = (id, file) => call('POST', keysPath(id), file, LONG_TIMEOUT_MS);
/** state may be empty: all. */
export const exportKeys = (id, state) => readFile(`${keysPath(id)}/export?${asking({ state })}`);
export const changeKey = (id, key, changes) => call('PUT', keyPath(id, key), changes);
export const deleteKey = (id, key) => call('DELETE', keyPath(id, key));
/** action: validate, restore, enable, disable or delete; which: `ids`, `state` or `all`. Where they are many, the answer is a task. */
export const changeKeys = (id, action, which) => call('POST', `${keysPath(id)}/batch`, { action, ...which });
export const revealKey = (id, key) => call('POST', `${keyPath(id, key)}/reveal`).then((answer) => answer.key_value);

/** Those that are open, the oldest first; then those that ended, the latest first. A long result is null there. */
export const readTasks = () => call('GET', '/api/tasks').then(({ tasks }) => tasks);
export const readTask = (id) => call('GET', `/api/tasks/${encodeURIComponent(id)}`).then(({ task }) => task);
export const cancelTask = (id) => call('DELETE', `/api/tasks/${encodeURIComponent(id)}`);

/** Calls that have not ended, of all processes, newest first: `active`, of `count`. */
export const readActive = (limit) => call('GET', `/api/active?${asking({ limit })}`);
export const endActive = (id) => call('DELETE', `/api/active/${encodeURIComponent(id)}`);

/** How many rows of the log fit. It may give up counting: then there are more (`is_more`). */
export const countLogs = (asked) => call('GET', `/api/logs/count?${asking(asked)}`, null, LONG_TIMEOUT_MS);
/** Where all rows that fit are given as a file. format: csv or ndjson. */
export const logsFile = (asked, format) => `/api/logs/export?${asking({ ...asked, format })}`;
/** Takes out what is too old, or too much, now; it is done every ten minutes anyhow. */
export const pruneLogs = () => call('POST', '/api/logs/prune', {}, LONG_TIMEOUT_MS);

/** One page of the request log. asked: limit, after and filters; each may be empty. */
export const readLogs = (asked) => call('GET', `/api/logs?${asking(asked)}`);
/** One call: `request` as its caller saw it, and its `attempts` in order. */
export const readCall = (id) => call('GET', `/api/logs/${encodeURIComponent(id)}`);

/** What calls add up to: `rows` and `totals`. asked: range, by, tz, limit and filters; each but range may be empty. */
export const readSums = (asked) => call('GET', `/api/stats?${asking(asked)}`);
/** The same over time: `series`, each with its `points`. bucket: hour or day. */
export const readSeries = (asked) => call('GET', `/api/series?${asking(asked)}`);

const tokenPath = (id) => `/api/tokens/${encodeURIComponent(id)}`;

/** asked: q, which may be empty. */
export const readTokens = (asked, most) => readList('/api/tokens', 'access_tokens', asked, most);
/** The secret of what was made is `token`; nobody can ask for it again. */
export const addToken = (token) => call('POST', '/api/tokens', token);
export const changeToken = (id, changes) => call('PUT', tokenPath(id), changes);
export const rotateToken = (id) => call('POST', `${tokenPath(id)}/rotate`);
export const deleteToken = (id) => call('DELETE', tokenPath(id));

export const readPrices = () => call('GET', '/api/prices');
/** Takes the place of the whole list. */
export const putPrices = (overrides) => call('PUT', '/api/prices', { overrides });
/** price: null where there is none; source: 'override' or 'built_in'. */
export const readEffectivePrice = (model) => call('GET', `/api/prices/effective?${asking({ model })}`);

/**
 * A call as an access token. The answer's status, fields and body, which comes as a stream; `signal` ends the call.
 * What the call itself is refused with is an answer, too.
 */
export async function play(asked, signal) {
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'fetch' };
  const response = await fetch('/api/playground', { method: 'POST', headers, body: JSON.stringify(asked), signal, redirect: 'error' }).catch(() => {
    throw new ApiError(0);
  });
  const { status, body } = response;
  if (response.headers.has('X-Gateway-Playground')) return { status, fields: [...response.headers], body };
  throw refusal(response, await response.json().catch(() => null));
}

/** A field holds bytes: those of UTF-8, one a character. */
const passphraseField = (passphrase) =>
  (passphrase ? { 'X-Backup-Passphrase': String.fromCharCode(...new TextEncoder().encode(passphrase)) } : {});
/** All that the operator said, as a file; its secrets are encrypted with the passphrase, or left out where it is empty. */
export const readBackup = (passphrase) => readFile('/api/backup', passphraseField(passphrase));
/** What a backup changes, or with `preview` would. */
export const restore = (file, passphrase, preview) =>
  call('POST', `/api/restore?preview=${preview}`, file, LONG_TIMEOUT_MS, asJson, { 'Content-Type': 'application/json', ...passphraseField(passphrase) });

/** One page of what was done by whom: `entries`, newest first, `next`. Each of asked may be empty. */
export const readAudit = (asked) => call('GET', `/api/audit?${asking(asked)}`);

/** What a person should act upon, the worst first. */
export const readWarnings = () => call('GET', '/api/warnings').then(({ warnings }) => warnings);

/** The description of all calls, as OpenAPI. */
export const readDocument = () => call('GET', '/api/openapi.json');
