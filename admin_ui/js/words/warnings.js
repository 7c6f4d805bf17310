// Words of what a person should act upon, [English, Chinese] as in i18n.js; {what} is what it is about.
export const WARNING_WORDS = {
  warnings: ['Warnings', '警告'],
  mendIt: ['Mend it', '去处理'],
  putAside: ['Put aside', '暂时收起'],
  showWarnings: [['Show {n} warning', 'Show {n} warnings'], '显示 {n} 条警告'],
  warning_redis_refuses: ['Redis does not do what it is asked: {what}', 'Redis 拒绝执行操作：{what}'],
  warning_catalog_in_doubt: [
    'What was said here may be lost; reload the mappings to keep what is left: {what}',
    '此处的配置可能已丢失；重新加载映射即保留现有内容：{what}',
  ],
  warning_worker_silent: [
    'The worker does not run, so statistics and tasks wait. Start it: python -m worker',
    '工作进程未在运行，统计和任务都在等待。请启动：python -m worker',
  ],
  warning_database_away: [
    'The SQL database cannot be written, so the request log and its statistics wait in Redis. Calls go on: {what}',
    '无法写入 SQL 数据库，请求日志及其统计在 Redis 中等待，调用不受影响：{what}',
  ],
  warning_log_rows_dropped: [
    'Rows of the request log found no room to wait in the last day and are lost: {what}',
    '最近一天有请求日志记录因等待空间已满而丢失：{what}',
  ],
  warning_keys_unreadable: [
    'ENCRYPTION_KEY does not open keys of these channels; put the key that does behind a comma: {what}',
    'ENCRYPTION_KEY 无法解密以下渠道的密钥；请在逗号后补上原来的值：{what}',
  ],
  warning_channels_without_usable_keys: [
    'No key of these channels may be used; restore, enable or add some: {what}',
    '以下渠道没有可用的密钥，请恢复、启用或添加密钥：{what}',
  ],
  warning_models_unserved: ['No channel can serve these models at the moment: {what}', '目前没有渠道能提供以下模型：{what}'],
  warning_settings_rejected: ['These settings make no sense and do not hold: {what}', '以下设置无效，未生效：{what}'],
  warning_mappings_rejected: ['These mappings make no sense and are left out: {what}', '以下映射无效，未生效：{what}'],
  warning_channels_rejected: ['These channels make no sense and are left out: {what}', '以下渠道无效，未生效：{what}'],
  warning_outcome_rules_rejected: ['The rules of outcomes make no sense and do not hold: {what}', '结果规则无效，未生效：{what}'],
  warning_access_tokens_rejected: ['These access tokens make no sense and open nothing: {what}', '以下访问令牌无效，无法使用：{what}'],
  warning_prices_rejected: ['Your own prices make no sense, so the built-in ones count: {what}', '自定义价格无效，以内置价格为准：{what}'],
  warning_channels_without_keys: ['These channels have no key, so nobody asks them: {what}', '以下渠道没有密钥，不会被调用：{what}'],
  warning_keys_file_not_taken: ['The keys file does not count as it stands: {what}', '密钥文件未能生效：{what}'],
  warning_no_access_token: [
    'There are channels and no access token, so nobody may call them. Make one.',
    '已有渠道但没有访问令牌，因此无人可以调用。请创建一个。',
  ],
  warning_tokens_expiring: ['These access tokens expire within a week: {what}', '以下访问令牌将在一周内过期：{what}'],
  warning_tokens_spent: ['These access tokens have spent a budget, or nearly: {what}', '以下访问令牌的预算已用完或即将用完：{what}'],
  warning_prices_missing: [
    'The built-in prices are not there yet: the worker stores them when it starts. Until then everything without a price of yours is unpriced.',
    '内置价格尚未就绪，工作进程启动后会写入。在此之前，没有自定义价格的模型都没有价格。',
  ],
  warning_models_unpriced: ['Budgets cannot count these models, which have no price: {what}', '以下模型没有价格，预算无法计入：{what}'],
  warning_copy_behind: [
    'The copy in the database does not follow: {what}',
    '数据库中的副本没有跟上：{what}',
  ],
  warning_tasks_failed: ['These tasks failed lately: {what}', '以下任务最近失败了：{what}'],
  warning_keys_plain: [
    'Keys are stored plain: whoever reads Redis, or a backup of it, has them. Set ENCRYPTION_KEY, restart the gateway, then run: python scripts/encrypt_keys.py',
    '密钥以明文存储：能读取 Redis 或其备份的人都能看到。请设置 ENCRYPTION_KEY，重启网关，然后运行：python scripts/encrypt_keys.py',
  ],
  warning_keys_out_of_line: [
    'Keys that are not stored as ENCRYPTION_KEY says: {what}. Run: python scripts/encrypt_keys.py',
    '尚未按 ENCRYPTION_KEY 存储的密钥：{what} 个。请运行：python scripts/encrypt_keys.py',
  ],
  warning_web_proxy_open: ['WEB_PROXY=open lets anybody see web pages through this gateway.', 'WEB_PROXY=open 允许任何人通过本网关浏览网页。'],
  warning_web_proxy_opens_network: [
    'WEB_PROXY=open lets any page in a browser that reaches this gateway read what EGRESS_ALLOW opens.',
    'WEB_PROXY=open 使能访问本网关的浏览器中的任何网页都能读取 EGRESS_ALLOW 开放的地址。',
  ],
  warning_egress_opens_all: [
    'EGRESS_ALLOW opens every address, that of a cloud’s secrets, too. Name the networks that are meant.',
    'EGRESS_ALLOW 开放了所有地址，包括云平台的元数据地址。请只写需要的网络。',
  ],
  warning_secret_short: ['These are so short that they may be guessed: {what}', '以下变量的值过短，可能被猜到：{what}'],
  warning_startup_doubt: ['In the environment: {what}', '环境变量：{what}'],
  warning_not_compiled: ['Calls are interpreted; compiled they cost less: make compile', '请求由解释器处理；编译后开销更小：make compile'],
};
