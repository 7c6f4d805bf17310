// Every word of the pages, [English, Chinese] side by side, so that neither language can miss a key.
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

  live: ['Live', '实时'],
  connecting: ['Connecting', '连接中'],
  staleShort: ['Old figures', '旧数据'],
  offlineShort: ['No answer', '无响应'],
  offShort: ['Off', '已关闭'],
  redisAway: [
    'Redis does not answer. You see the figures of {when}. Calls are still served.',
    'Redis 没有响应，当前显示的是 {when} 的数据。请求仍在正常转发。',
  ],
  workerAway: [
    'The worker, which counts the calls, does not run. You see the figures of {when}. Calls are still served, and counted when it runs again.',
    '负责计数的工作进程未在运行，当前显示的是 {when} 的数据。请求仍在正常转发，工作进程恢复后会补计。',
  ],
  staleUnknown: [
    'The statistics are not ready yet. Calls are served; the figures will follow.',
    '统计数据尚未就绪。请求正常转发，数据稍后出现。',
  ],
  offline: [
    'The gateway is not answering. You see the figures of {when}; this page goes on trying.',
    '网关没有响应，当前显示的是 {when} 的数据，页面会继续重试。',
  ],
  offlineFirst: ['The gateway is not answering. This page goes on trying.', '网关没有响应，页面会继续重试。'],
  statsOff: [
    'Statistics are switched off on this gateway (ENABLE_STATS=false). Calls are served, but not counted.',
    '此网关已关闭统计（ENABLE_STATS=false）。请求正常转发，但不计数。',
  ],
  dropped: [
    ['{n} call was served but not counted, because the queue was full.', '{n} calls were served but not counted, because the queue was full.'],
    '由于队列已满，有 {n} 次请求已转发但未计数。',
  ],

  performance: ['Right now', '当前性能'],
  perSecond: ['Requests / s', '每秒请求'],
  averageResponse: ['Average response', '平均响应'],
  errorRate: ['Error rate', '错误率'],
  memory: ['Memory', '内存'],
  processes: [['{n} process', '{n} processes'], '{n} 个进程'],
  good: ['good', '良好'],
  fair: ['raised', '偏高'],
  bad: ['high', '过高'],
  idle: ['idle', '空闲'],

  totals: ['Calls', '请求总数'],
  '24h': ['24 h', '24 小时'],
  '7d': ['7 d', '7 天'],
  '30d': ['30 d', '30 天'],
  total: ['Total', '总计'],
  'in24h': ['last 24 hours', '最近 24 小时'],
  'in7d': ['last 7 days', '最近 7 天'],
  'in30d': ['last 30 days', '最近 30 天'],
  'intotal': ['since the beginning', '全部时间'],
  requestsOf: [['{n} request', '{n} requests'], '{n} 次请求'],
  errorsOf: [['{n} error', '{n} errors'], '{n} 个错误'],
  noErrors: ['no errors', '无错误'],

  traffic: ['Traffic', '流量'],
  span: ['Span', '时间范围'],
  endpoint: ['Endpoint', '端点'],
  allEndpoints: ['All endpoints', '全部端点'],
  requests: ['Requests', '请求'],
  errors: ['Errors', '错误'],
  firstByte: ['First byte p50', '首字节 p50'],
  sent: ['Received / sent', '接收 / 发送'],
  chartLabel: [
    'Requests over time: {requests}, {errors} between {from} and {to}. Arrow keys read single bars.',
    '请求随时间的变化：{from} 至 {to} 共 {requests}、{errors}。方向键可逐条查看。',
  ],
  noCallsInSpan: ['No calls in this span', '此时间范围内没有请求'],

  mostActive: ['Most active', '最活跃'],
  showInChart: ['Show {endpoint} in the chart', '在图表中显示 {endpoint}'],
  ofCalls: ['{share} of all calls', '占全部请求 {share}'],

  endpoints: ['Endpoints', '端点列表'],
  lastUsed: ['Last used', '最近使用'],
  copyAddress: ['Copy the proxy address {address}', '复制代理地址 {address}'],
  findEndpoint: ['Find an endpoint', '查找端点'],
  nothingFound: ['Nothing matches “{query}”.', '没有匹配“{query}”的内容。'],
  noEndpoints: ['There are no mappings yet. Add the first one on the admin page.', '还没有映射，请在管理页面添加第一个。'],
  openAdmin: ['Open the admin page', '打开管理页面'],

  usage: ['Use it', '使用方法'],
  usageHint: ['Change the base URL, keep your own key. Everything else stays as it is.', '只需更换 base URL，密钥仍用您自己的，其余不变。'],
  welcome: ['Ready for the first call', '一切就绪，等待第一次请求'],
  welcomeText: [
    ['{n} endpoint is open. Send a call to it and it appears here within seconds.', '{n} endpoints are open. Send a call to one of them and it appears here within seconds.'],
    '已开放 {n} 个端点。发送一次请求，几秒内就会显示在这里。',
  ],

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
  error_invalid_prefix: [
    'A prefix is a slash and a name, such as /openai, without blanks, ?, # or an empty part; admin, api, stats, health, metrics, static and proxy are the gateway’s own.',
    '前缀应为斜杠加名称，例如 /openai：不含空白、? 或 #，没有空的部分，也不能是网关自用的名称（admin、api、stats、health、metrics、static、proxy）。',
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
  error_storage_refuses: [
    'Redis answers but refuses: its memory is full, it is read only, or a permission is missing. Nothing was changed; the gateway’s log says which it is.',
    'Redis 有响应但拒绝操作：内存已满、处于只读状态或缺少权限。未作任何更改，具体原因见网关日志。',
  ],
  error_token_missing: ['Log in first.', '请先登录。'],
  error_token_wrong: ['This is not the admin token.', '管理令牌不正确。'],
  error_unknown_field: ['This gateway does not know “{field}”.', '此网关不认识“{field}”。'],
  retryIn: [['Try again in {n} minute.', 'Try again in {n} minutes.'], '请在 {n} 分钟后重试。'],
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
  setAnew: ['Set it anew', '重新设置'],

  settings: ['Limits', '限制'],
  settingsText: [
    'They hold for each mapping that has no limit of its own. An empty field takes the default. A change works at once.',
    '适用于没有自己限制的每个映射。留空则使用默认值，修改立即生效。',
  ],
  limit: ['Limit', '限制'],
  value: ['Value', '设置值'],
  inForce: ['In force', '当前生效'],
  default: ['Default', '默认值'],
  setHere: ['set here', '在此设置'],
  restoreNamed: ['{name}: back to the default', '{name}：恢复默认值'],
  unsaved: [['{n} unsaved change', '{n} unsaved changes'], '{n} 项未保存的修改'],
  discard: ['Discard', '放弃'],
  limitsSaved: [['Saved {n} limit', 'Saved {n} limits'], '已保存 {n} 项限制'],
  options: ['Options', '选项'],
  ownOptions: [['{n} option', '{n} options'], '{n} 个选项'],
  ownNone: ['none of its own', '无单独设置'],
  ownHint: ['For this mapping alone. An empty limit: as on the page Limits.', '仅对此映射有效。限制留空则与“限制”页面相同。'],
  wholeFrom: ['A whole number from {minimum} to {maximum} ({unit}).', '应为 {minimum} 到 {maximum} 之间的整数（{unit}）。'],
  numberFrom: ['A number from {minimum} to {maximum} ({unit}).', '应为 {minimum} 到 {maximum} 之间的数字（{unit}）。'],
  unlimited: ['no limit', '不限制'],
  zero_queue_timeout: ['no waiting', '不等待'],
  zero_burst: ['as the rate', '同速率'],
  zero_global_burst: ['as the rate', '同速率'],
  zero_blacklist_threshold: ['never', '从不'],
  asDefault: ['as the default', '按默认值'],
  choice_true: ['yes', '是'],
  choice_false: ['no', '否'],
  unit_refusals: [['refusal', 'refusals'], '次拒绝'],
  unit_s: ['s', '秒'],
  unit_calls: [['call', 'calls'], '个请求'],
  'unit_1/s': [['call / s', 'calls / s'], '请求/秒'],
  unit_bytes: ['bytes', '字节'],
  name_connect_timeout: ['Connect timeout', '连接超时'],
  name_first_byte_timeout: ['First byte timeout', '首字节超时'],
  name_idle_timeout: ['Idle timeout', '空闲超时'],
  name_total_timeout: ['Total time', '总时长'],
  name_max_concurrency: ['Calls at once', '并发数'],
  name_queue_timeout: ['Wait for a place', '排队时间'],
  name_requests_per_second: ['Rate', '速率'],
  name_burst: ['Burst', '突发'],
  name_max_body_bytes: ['Request body', '请求体大小'],
  name_global_requests_per_second: ['Rate of the gateway', '网关总速率'],
  name_global_burst: ['Burst of the gateway', '网关总突发'],
  name_web_first_byte_timeout: ['Web pages: first byte', '网页：首字节超时'],
  name_web_idle_timeout: ['Web pages: idle', '网页：空闲超时'],
  name_cooldown_auth_s: ['Rest after a refused key', '密钥被拒后的冷却'],
  name_cooldown_server_s: ['Rest after a server error', '服务器错误后的冷却'],
  name_cooldown_timeout_s: ['Rest after a timeout', '超时后的冷却'],
  name_cooldown_rate_limit_s: ['Rest after a rate limit', '限流后的冷却'],
  name_cooldown_min_s: ['Shortest rest', '最短冷却'],
  name_cooldown_max_s: ['Longest rest', '最长冷却'],
  name_blacklist_threshold: ['Refusals to the blacklist', '拉黑前的拒绝次数'],
  name_empty_is_error: ['Empty answers are failures', '空回答视为失败'],
  meaning_cooldown_auth_s: ['First rest of a key that was refused or is spent, or of a suspended account; doubled with each further failure', '密钥被拒、额度用尽或账户被停用后的首次冷却；每再失败一次加倍'],
  meaning_cooldown_server_s: ['First rest after an error of the server, or when it cannot be reached', '服务器出错或无法连接后的首次冷却'],
  meaning_cooldown_timeout_s: ['First rest when no answer came in time, or one that is none or not whole', '未及时响应、响应无效或不完整后的首次冷却'],
  meaning_cooldown_rate_limit_s: ['First rest after a rate limit, and of a model that is overloaded or missing', '触发限流，或模型过载、不存在后的首次冷却'],
  meaning_cooldown_min_s: ['No rest that we guess is shorter; what an upstream tells is kept as told', '推定的冷却不会更短；上游告知的时间按其所说'],
  meaning_cooldown_max_s: ['No rest that we guess is longer', '推定的冷却不会更长'],
  meaning_blacklist_threshold: ['Refusals (401, 403) without a success between them that take a key out of its pool; 0: never', '其间没有成功的拒绝（401、403）达到此次数后，密钥移出密钥池；0 表示从不'],
  meaning_empty_is_error: ['Whether an answer without text, tool call, refusal or reasoning counts as a failure', '没有文本、工具调用、拒答或推理内容的回答是否算失败'],
  name_proxy_url: ['Proxy', '代理'],
  meaning_proxy_url: [
    'Leads to this upstream in place of HTTPS_PROXY and its like; http, https, socks5 or socks5h. Empty: as those variables say.',
    '前往此上游所经的代理，优先于 HTTPS_PROXY 等变量；支持 http、https、socks5、socks5h。留空则按这些变量。',
  ],
  meaning_web_first_byte_timeout: ['Longest wait for a web page under /proxy/ to begin', '/proxy/ 下的网页开始响应的最长等待'],
  meaning_web_idle_timeout: ['Longest silence between two pieces of a web page', '网页两段数据之间的最长静默'],
  meaning_connect_timeout: ['Longest wait for a connection to the upstream: name, TCP and TLS', '与上游建立连接的最长等待：域名解析、TCP 和 TLS'],
  meaning_first_byte_timeout: ['Longest wait for the answer to begin once the request is out', '请求发出后，等待响应开始的最长时间'],
  meaning_idle_timeout: ['Longest silence between two pieces of a body', '正文两段数据之间的最长静默'],
  meaning_total_timeout: ['Longest time of a whole call; 0: no limit', '一次请求的最长总时间；0 表示不限制'],
  meaning_max_concurrency: ['Most calls of a mapping in flight, counted over all processes; 0: no limit', '每个映射同时进行的请求上限，所有进程合计；0 表示不限制'],
  meaning_queue_timeout: ['Longest wait when all places are taken; 0: refused at once', '并发占满时的最长等待；0 表示立即拒绝'],
  meaning_requests_per_second: ['Most calls of a mapping begun each second; 0: no limit', '每个映射每秒开始的请求上限；0 表示不限制'],
  meaning_burst: ['Calls of a mapping that may come in one go; 0: as many as in one second', '每个映射可同时到达的请求数；0 表示一秒的量'],
  meaning_max_body_bytes: ['Longest request body; 0: no limit', '请求体的最大长度；0 表示不限制'],
  meaning_global_requests_per_second: ['Most calls begun each second, all mappings together; 0: no limit', '所有映射合计每秒开始的请求上限；0 表示不限制'],
  meaning_global_burst: ['Calls that may come in one go, all mappings together; 0: as many as in one second', '所有映射合计可同时到达的请求数；0 表示一秒的量'],
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

export const knows = (key) => Object.hasOwn(WORDS, key);

export function t(key, values = {}) {
  const text = WORDS[key][LANGUAGES.indexOf(current)];
  const form = Array.isArray(text) ? text[values.n === 1 ? 0 : 1] : text;
  return form.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

const shown = (value) => (typeof value === 'number' ? new Intl.NumberFormat(current).format(value) : value);
