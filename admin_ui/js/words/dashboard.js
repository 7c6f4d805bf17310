// Words of the dashboard, [English, Chinese] as in i18n.js.
import { addWords } from '../i18n.js';
import { PROBLEM_WORDS } from './problems.js';

const DASHBOARD_WORDS = {
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
  endpoints: ['Endpoints', '端点列表'],
  findEndpoint: ['Find an endpoint', '查找端点'],

  figures: ['Figures of the span', '时间范围内的指标'],
  before1h: ['the hour before', '前 1 小时'],
  before24h: ['the 24 h before', '前 24 小时'],
  before7d: ['the 7 d before', '前 7 天'],
  before30d: ['the 30 d before', '前 30 天'],
  now: ['now', '当前'],
  inFlight: ['In flight', '进行中'],
  noneBefore: ['no figures of {before}', '{before}没有数据'],
  changeBefore: ['{change} vs. {before}', '较{before} {change}'],
  points: ['{difference} points', '{difference} 个百分点'],
  peaks: ['at most {peak}, {before} {peakBefore}', '最多 {peak}，{before}最多 {peakBefore}'],

  allEndpoints: ['all endpoints', '全部端点'],
  widenTo: ['Show all endpoints, not {endpoint} alone', '显示全部端点，取消限定 {endpoint}'],
  chart_outcomes: ['Requests', '请求'],
  chart_latency: ['Latency', '延迟'],
  chart_bytes: ['Bytes', '字节'],
  chartLabel: [
    ['{what} over time: {n} request between {from} and {to}. Arrow keys read single moments.', '{what} over time: {n} requests between {from} and {to}. Arrow keys read single moments.'],
    '{what}随时间的变化：{from} 至 {to} 共 {n} 次请求。方向键可逐段查看。',
  ],
  bytesTogether: ['Both', '合计'],
  request_bytes: ['Received from callers', '来自调用方'],
  response_bytes: ['Sent to callers', '发往调用方'],
  ending_ok: ['Went well', '成功'],
  ending_client_gone: ['Caller left', '调用方断开'],
  ending_ended: ['Ended here', '被终止'],
  ending_rate_limited: ['429', '429'],
  ending_client_errors: ['Other 4xx', '其他 4xx'],
  ending_server_errors: ['5xx', '5xx'],
  ending_timeouts: ['Timeout', '超时'],
  ending_unknown: ['Errors of before', '早期错误'],

  endpointHealth: ['Health', '健康状况'],
  state_ok: ['The last 15 minutes: less than 5 % errors', '最近 15 分钟：错误低于 5 %'],
  state_degraded: ['The last 15 minutes: 5 % errors or more', '最近 15 分钟：错误达 5 % 以上'],
  state_failing: ['The last 15 minutes: half of the calls failed, or more', '最近 15 分钟：一半以上的请求失败'],
  state_idle: ['The last 15 minutes: no calls', '最近 15 分钟：没有请求'],
  state_unused: ['Never called', '从未使用'],
  state_removed: ['Its mapping does not exist any more', '其映射已不存在'],
  showAlone: ['Show {endpoint} alone', '只显示 {endpoint}'],
  withoutCalls: [['{n} endpoint without calls in this span', '{n} endpoints without calls in this span'], '{n} 个端点在此时间范围内没有请求'],

  usage: ['How to call it', '调用方法'],
  keyIsYours: [
    'Your own key of that provider goes with it, in place of the one that is shown or from the environment.',
    '请使用您自己的该服务商密钥：替换示例中的密钥，或通过环境变量提供。',
  ],
  keyIsToken: [
    'The key is an access token of this gateway, and the model one that a channel serves; both are on the admin page.',
    '密钥是本网关的访问令牌，模型须由某个渠道提供；两者都在管理页面。',
  ],
  welcome: ['Make the first call', '发出第一次请求'],
  welcomeText: [
    'Paste this into a terminal. Only the base URL is new; everything else is as with the provider.',
    '将以下内容粘贴到终端即可。只有 base URL 不同，其余与直接调用服务商时一样。',
  ],
  waitingForFirst: ['Waiting for the first call… Then this page shows what comes.', '正在等待第一次请求……收到后此页会自动显示数据。'],
};

addWords({ ...DASHBOARD_WORDS, ...PROBLEM_WORDS });
