// Words of the description of the API, [English, Chinese] as in i18n.js; what it says itself is in English.
export const API_WORDS = {
  api: ['API', 'API'],
  apiText: [
    'All that these pages do can be done by calls. The commands take the admin token from your shell: export ADMIN_TOKEN=…; ids are examples. The whole as OpenAPI 3.1:',
    '这些页面能做的一切都可以通过调用完成。命令从 shell 读取管理员令牌：export ADMIN_TOKEN=…；其中的 id 为示例。完整的 OpenAPI 3.1 文档：',
  ],
  searchApi: ['Find a call', '查找调用'],
  noOperations: ['No call is like that.', '没有符合的调用。'],
  apiPath: ['In the path', '路径参数'],
  apiQuery: ['In the query', '查询参数'],
  apiFields: ['Header fields', '请求头字段'],
  apiBody: ['Body', '请求体'],
  apiAnswer: ['Answer {status} {type}', '响应 {status} {type}'],
  apiNeeded: ['needed', '必填'],
  apiLeftOut: ['may be left out', '可能省略'],
  apiDefault: ['else {value}', '默认 {value}'],
  apiField: ['Field', '字段'],
  apiType: ['Type', '类型'],
  apiMeaning: ['Meaning', '含义'],
};
