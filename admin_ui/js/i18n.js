// The words that pages share, [English, Chinese] side by side, so that neither language can miss a key. Those of one page
// are in words/ and added by it.
// {name} is filled in; a pair [one, many] is chosen from by {n}.
import { useEffect, useState } from '../vendor/preact/hooks.mjs';
import { recall, remember } from './remember.js';

const WORDS = {
  product: ['AI API Gateway', 'AI API 网关'],
  dashboard: ['Dashboard', '仪表盘'],
  admin: ['Admin', '管理'],
  webPages: ['Web pages', '网页'],
  webPagesText: ['Shows a page through this gateway, with every link on it leading back here.', '通过本网关显示网页，页面上的所有链接都经由此处。'],
  address: ['Address', '网址'],
  openPage: ['Open', '打开'],
  notFound: ['No mapping serves this path', '没有映射对应此路径'],
  notFoundText: ['Each of these opens an upstream; what follows the prefix is passed on as it is.', '以下每个前缀对应一个上游，前缀之后的路径原样转发。'],
  prefixMissing: ['The prefix of a mapping is missing in front of it; put it into the base URL.', '路径前缺少映射的前缀，请写入 base URL。'],
  didYouMean: ['Did you mean this?', '您要找的是：'],
  moreOnDashboard: ['{n} more on the dashboard', '仪表盘上还有 {n} 个'],
  otherLanguage: ['中文', 'English'],
  themeDark: ['Use the dark theme', '使用深色主题'],
  themeLight: ['Use the light theme', '使用浅色主题'],
  copy: ['Copy', '复制'],
  copied: ['Copied: {what}', '已复制：{what}'],
  copyFailed: ['The browser did not let us copy', '浏览器不允许复制'],
  cancel: ['Cancel', '取消'],
  never: ['never', '从未'],
  justNow: ['just now', '刚刚'],

  errorRate: ['Error rate', '错误率'],
  '1h': ['1 h', '1 小时'],
  '24h': ['24 h', '24 小时'],
  '7d': ['7 d', '7 天'],
  '30d': ['30 d', '30 天'],
  total: ['Total', '总计'],
  'in1h': ['last hour', '最近 1 小时'],
  'in24h': ['last 24 hours', '最近 24 小时'],
  'in7d': ['last 7 days', '最近 7 天'],
  'in30d': ['last 30 days', '最近 30 天'],
  intotal: ['since the beginning', '全部时间'],
  requestsOf: [['{n} request', '{n} requests'], '{n} 次请求'],
  errorsOf: [['{n} error', '{n} errors'], '{n} 个错误'],
  endpoint: ['Endpoint', '端点'],
  traffic: ['Traffic', '流量'],
  span: ['Span', '时间范围'],
  legend: ['Shown in the chart', '图表中显示'],
  partOf: ['{part}: {calls}, {errors}', '{part}：{calls}，{errors}'],
  healthOf: [['{good} of {n} part with calls had less than 1 % errors', '{good} of {n} parts with calls had less than 1 % errors'], '{n} 个有请求的时段中有 {good} 个错误率低于 1 %'],
  course: ['Course', '趋势'],
  requests: ['Requests', '请求'],
  errors: ['Errors', '错误'],
  firstByte: ['First byte p50', '首字节 p50'],
  noCallsInSpan: ['No calls in this span', '此时间范围内没有请求'],
  copyAddress: ['Copy the proxy address {address}', '复制代理地址 {address}'],
  nothingFound: ['Nothing matches “{query}”.', '没有匹配“{query}”的内容。'],
  noEndpoints: ['There are no mappings yet. Add the first one on the admin page.', '还没有映射，请在管理页面添加第一个。'],
  openAdmin: ['Open the admin page', '打开管理页面'],

  logInTitle: ['Admin', '管理登录'],
  logInText: ['The token is the ADMIN_TOKEN of this gateway; after “make run” it stands in the file .env.', '令牌即此网关的 ADMIN_TOKEN；使用 make run 启动时写在 .env 文件中。'],
  token: ['Admin token', '管理令牌'],
  logIn: ['Log in', '登录'],
  logOut: ['Log out', '退出登录'],
  error_address_refused: [
    'The gateway may not connect to this address. EGRESS_ALLOW opens addresses of your own network; the gateway’s log says why.',
    '网关不允许连接此地址。您自己网络中的地址可用 EGRESS_ALLOW 开放；原因写在网关日志中。',
  ],
  error_admin_disabled: [
    'The admin pages are switched off, because ADMIN_TOKEN is not set on this gateway.',
    '此网关未设置 ADMIN_TOKEN，管理功能已停用。',
  ],
  error_backup_damaged: [
    'This file is damaged, or is no backup of this gateway. Nothing was changed.',
    '此文件已损坏，或不是本网关的备份。未作任何更改。',
  ],
  error_backup_newer: [
    'This backup was written by a newer version of the gateway. Update this one first; nothing was changed.',
    '此备份由更新版本的网关写出。请先升级本网关；未作任何更改。',
  ],
  error_passphrase_missing: ['The secrets of this backup are encrypted: enter its passphrase.', '此备份中的机密已加密，请输入其口令。'],
  error_passphrase_wrong: ['This is not the passphrase of the backup. Nothing was changed.', '口令与此备份不符。未作任何更改。'],
  error_bad_json: ['The gateway could not read what this page sent. Reload the page.', '网关无法读取此页面发送的内容，请刷新页面。'],
  error_bad_request: ['The gateway cannot serve this request.', '网关无法处理此请求。'],
  error_body_too_large: ['This is too much for one request.', '一次发送的内容过大。'],
  error_internal_error: ['The gateway failed; its log says why.', '网关内部出错，原因写在网关日志中。'],
  error_invalid: ['This value cannot be used.', '此值无法使用。'],
  error_invalid_options: ['Its options must be a JSON object of names and values.', '它的选项必须是由名称和值组成的 JSON 对象。'],
  'error_invalid_options.proxy_url': [
    'A proxy’s URL begins with http://, https://, socks5:// or socks5h:// and ends after host and port. Where *** stands for the password, type it anew.',
    '代理 URL 应以 http://、https://、socks5:// 或 socks5h:// 开头，到主机和端口为止；若密码显示为 ***，请重新输入密码。',
  ],
  error_in_use: ['A mapping leads to it; change or delete the mapping first.', '有映射指向它，请先修改或删除该映射。'],
  error_invalid_prefix: [
    'A prefix is a slash and a name, such as /openai, without blanks, ?, # or an empty part; admin, api, blacklist, health, login, logout, metrics, proxy, public, reset-keys, static, stats and web are the gateway’s own.',
    '前缀应为斜杠加名称，例如 /openai：不含空白、? 或 #，没有空的部分，也不能是网关自用的名称（admin、api、blacklist、health、login、logout、metrics、proxy、public、reset-keys、static、stats、web）。',
  ],
  error_invalid_target: [
    'A target is a base URL that begins with http:// or https:// and names a host, without blanks, user name, password, ? or #.',
    '目标应为以 http:// 或 https:// 开头并带主机名的基础 URL：不含空白、用户名、密码、? 或 #。',
  ],
  error_locked: ['Too many wrong tokens came from your address.', '您的地址多次输入错误令牌，已被锁定。'],
  error_method_not_allowed: ['This gateway does not know what the page asked for. Reload the page.', '此网关不支持该操作，请刷新页面。'],
  error_name_taken: ['This name is taken; choose another.', '此名称已被占用，请换一个。'],
  error_name_taken_prefix: ['This prefix has a mapping already.', '此前缀已有映射。'],
  error_not_found: ['It does not exist any more.', '该项已不存在。'],
  error_session_ended: ['The session has ended. Log in again.', '会话已结束，请重新登录。'],
  error_storage_away: ['Redis does not answer, so nothing can be read or changed at the moment.', 'Redis 没有响应，暂时无法读取或修改。'],
  error_key_unreadable: [
    'A key here is encrypted with another ENCRYPTION_KEY than the gateway has. Give it that one and restart it.',
    '有密钥是用另一个 ENCRYPTION_KEY 加密的，网关无法读取。请设置原来的 ENCRYPTION_KEY 并重启网关。',
  ],
  error_storage_refuses: [
    'Redis answers but refuses: its memory is full, it is read only, or a permission is missing. Nothing was changed; the gateway’s log says which it is.',
    'Redis 有响应但拒绝操作：内存已满、处于只读状态或缺少权限。未作任何更改，具体原因见网关日志。',
  ],
  error_task_running: ['A task of that kind runs for this channel already. Wait for its end, or cancel it.', '此渠道已有同类任务在运行，请等待其结束或将其取消。'],
  error_token_missing: ['Log in first.', '请先登录。'],
  error_token_wrong: ['This is not the admin token.', '管理令牌不正确。'],
  error_database_away: [
    'The SQL database does not do what it is asked; the log of the gateway says why. Calls go on.',
    'SQL 数据库无法完成请求，原因见网关日志。调用不受影响。',
  ],
  error_logs_elsewhere: [
    'The worker writes another database than this gateway opens: give both the same DATABASE_URL, or one volume.',
    '后台进程写入的数据库与本网关打开的不同：请为两者设置相同的 DATABASE_URL，或共用一个卷。',
  ],
  error_process_silent: ['The process that has this call does not answer.', '处理此请求的进程没有应答。'],
  error_upstream_failed: ['The upstream did not list its models.', '上游没有返回模型列表。'],
  error_unknown_field: ['This gateway does not know “{field}”.', '此网关不认识“{field}”。'],
  retryIn: [['{said} Try again in {n} minute.', '{said} Try again in {n} minutes.'], '{said}请在 {n} 分钟后重试。'],
  sections: ['Sections', '管理栏目'],
  noAnswer: ['The gateway is not answering.', '网关没有响应。'],
  noAnswerRetrying: ['The gateway is not answering. This page goes on trying.', '网关没有响应，页面会继续重试。'],
  failed: ['The gateway answered with status {status}.', '网关返回了状态码 {status}。'],
  unavailable: ['Not available at the moment', '暂时不可用'],

  mappings: ['Mappings', '映射'],
  mappingsText: ['A call to the prefix goes to the target; the rest of the path is appended as it is.', '发往前缀的请求会转发到目标地址，其余路径原样附加。'],
  prefix: ['Prefix', '前缀'],
  target: ['Target', '目标'],
  actions: ['Actions', '操作'],
  search: ['Search prefix or target', '搜索前缀或目标'],
  add: ['Add mapping', '添加映射'],
  edit: ['Edit', '编辑'],
  editMapping: ['Edit mapping', '编辑映射'],
  editNamed: ['Edit {prefix}', '编辑 {prefix}'],
  save: ['Save', '保存'],
  delete: ['Delete', '删除'],
  deleteNamed: ['Delete {prefix}', '删除 {prefix}'],
  deleteSelected: ['Delete selected ({n})', '删除所选 ({n})'],
  deleteOne: ['Delete this mapping?', '删除此映射？'],
  deleteMany: [['Delete {n} mapping?', 'Delete {n} mappings?'], '删除 {n} 个映射？'],
  deleteText: [['Calls to it will be answered with 404 at once.', 'Calls to them will be answered with 404 at once.'], '之后发往这些前缀的请求会立即返回 404。'],
  refresh: ['Refresh', '刷新'],
  selectAll: ['Select all', '全选'],
  selectNamed: ['Select {prefix}', '选择 {prefix}'],
  footer: [['{n} mapping | version {version}', '{n} mappings | version {version}'], '{n} 个映射 | 版本 {version}'],
  noMappings: ['No mappings yet', '还没有映射'],
  noMappingsText: ['A mapping opens a prefix of this gateway, such as /openai, to an upstream.', '一条映射把网关的一个前缀（如 /openai）开放到一个上游。'],
  prefixHint: ['Starts with a slash, for example /openai', '以斜杠开头，例如 /openai'],
  prefixLocked: ['A prefix cannot be changed; delete the mapping and add another.', '前缀不可修改；请删除后重新添加。'],
  targetHint: ['The base URL of the upstream, for example https://api.openai.com', '上游的基础 URL，例如 https://api.openai.com'],
  added: ['Added {prefix}', '已添加 {prefix}'],
  saved: ['Saved {prefix}', '已保存 {prefix}'],
  deleted: [['Deleted {n} mapping', 'Deleted {n} mappings'], '已删除 {n} 个映射'],
  reloaded: ['Loaded again, version {version}', '已重新加载，版本 {version}'],
  loading: ['Loading…', '加载中…'],
  rejected: [['{n} stored entry is left out', '{n} stored entries are left out'], '{n} 个已存储的条目未生效'],
  rejectedDeleteText: [['It is not in force; only the stored entry goes.', 'They are not in force; only the stored entries go.'], '它并未生效，只会删除已存储的条目。'],
  rejectedElsewhere: ['What has no button here can only be removed in Redis itself.', '没有按钮的条目只能在 Redis 中删除。'],
  lastUsed: ['Last used', '最近使用'],
  setAnew: ['Set it anew', '重新设置'],
};

const LANGUAGES = ['en', 'zh-CN'];
const fromBrowser = navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
const remembered = recall('language');
let current = LANGUAGES.includes(remembered) ? remembered : fromBrowser;
document.documentElement.lang = current;
const listeners = new Set();

export const language = () => current;

export function toggleLanguage() {
  current = LANGUAGES[1 - LANGUAGES.indexOf(current)];
  document.documentElement.lang = current;
  numbers = new Intl.NumberFormat(current);
  remember('language', current);
  listeners.forEach((listener) => listener(current));
}

/** Makes a page's root draw itself again in the other language. */
export function useLanguage() {
  const [, draw] = useState(current);
  useEffect(() => {
    listeners.add(draw);
    return () => listeners.delete(draw);
  }, []);
}

/** More of them, for the pages that have use for them. */
export const addWords = (words) => Object.assign(WORDS, words);

export const knows = (key) => Object.hasOwn(WORDS, key);

export function t(key, values = {}) {
  const text = WORDS[key][LANGUAGES.indexOf(current)];
  const form = Array.isArray(text) ? text[values.n === 1 ? 0 : 1] : text;
  return form.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

let numbers = new Intl.NumberFormat(current);
const shown = (value) => (typeof value === 'number' ? numbers.format(value) : value);
