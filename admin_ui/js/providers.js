// Providers of APIs, as a new channel may begin. urls: each with the dialects that are spoken there, where not all are;
// `exact`: what follows /v1 in a request is appended as it is. auth: where not "auto", which does as the dialect does;
// "both" suits endpoints that are shaped like Anthropic's and document a Bearer token. `edit`: a part that is the operator's own.
const OPENAI = ['openai'];
const TWO = ['openai', 'anthropic'];

const beside = (openai, anthropic, exact = false) => [
  { url: openai, dialects: OPENAI, exact },
  { url: anthropic, dialects: ['anthropic'] },
];

export const PROVIDERS = [
  { name: 'OpenAI', dialects: ['openai', 'responses'], urls: [{ url: 'https://api.openai.com' }] },
  { name: 'Anthropic', dialects: ['anthropic'], urls: [{ url: 'https://api.anthropic.com' }] },
  { name: 'Google Gemini', dialects: ['gemini'], urls: [{ url: 'https://generativelanguage.googleapis.com' }] },
  { name: 'Azure OpenAI', dialects: ['openai', 'responses'], auth: 'api-key', urls: [{ url: 'https://RESOURCE.openai.azure.com/openai' }], edit: 'RESOURCE' },
  { name: 'Amazon Bedrock', dialects: OPENAI, urls: [{ url: 'https://bedrock-runtime.REGION.amazonaws.com/openai' }], edit: 'REGION' },
  { name: 'xAI', dialects: ['openai', 'responses'], urls: [{ url: 'https://api.x.ai' }] },
  { name: 'DeepSeek', dialects: TWO, urls: beside('https://api.deepseek.com', 'https://api.deepseek.com/anthropic') },
  { name: 'Moonshot Kimi', dialects: TWO, auth: 'both', urls: beside('https://api.moonshot.ai', 'https://api.moonshot.ai/anthropic') },
  { name: 'Moonshot Kimi (CN)', dialects: TWO, auth: 'both', urls: beside('https://api.moonshot.cn', 'https://api.moonshot.cn/anthropic') },
  { name: 'Zhipu BigModel', dialects: TWO, auth: 'both', urls: beside('https://open.bigmodel.cn/api/paas/v4', 'https://open.bigmodel.cn/api/anthropic', true) },
  { name: 'Z.ai', dialects: TWO, auth: 'both', urls: beside('https://api.z.ai/api/paas/v4', 'https://api.z.ai/api/anthropic', true) },
  { name: 'Qwen', dialects: TWO, auth: 'both', urls: beside('https://dashscope.aliyuncs.com/compatible-mode', 'https://dashscope.aliyuncs.com/apps/anthropic') },
  { name: 'MiniMax', dialects: TWO, auth: 'both', urls: beside('https://api.minimax.io', 'https://api.minimax.io/anthropic') },
  { name: 'Volcengine Ark', dialects: ['openai', 'responses'], urls: [{ url: 'https://ark.cn-beijing.volces.com/api/v3', exact: true }] },
  { name: 'Baidu Qianfan', dialects: OPENAI, urls: [{ url: 'https://qianfan.baidubce.com/v2', exact: true }] },
  { name: 'Tencent Hunyuan', dialects: OPENAI, urls: [{ url: 'https://api.hunyuan.cloud.tencent.com' }] },
  { name: 'SiliconFlow', dialects: OPENAI, urls: [{ url: 'https://api.siliconflow.cn' }] },
  { name: 'StepFun', dialects: OPENAI, urls: [{ url: 'https://api.stepfun.com' }] },
  { name: 'Mistral', dialects: OPENAI, urls: [{ url: 'https://api.mistral.ai' }] },
  { name: 'Groq', dialects: ['openai', 'responses'], urls: [{ url: 'https://api.groq.com/openai' }] },
  { name: 'OpenRouter', dialects: ['openai', 'responses', 'anthropic'], auth: 'bearer', urls: [{ url: 'https://openrouter.ai/api' }] },
  { name: 'Together', dialects: OPENAI, urls: [{ url: 'https://api.together.xyz' }] },
  { name: 'Fireworks', dialects: OPENAI, urls: [{ url: 'https://api.fireworks.ai/inference' }] },
  { name: 'Cerebras', dialects: OPENAI, urls: [{ url: 'https://api.cerebras.ai' }] },
  { name: 'NVIDIA', dialects: OPENAI, urls: [{ url: 'https://integrate.api.nvidia.com' }] },
  { name: 'Cohere', dialects: OPENAI, urls: [{ url: 'https://api.cohere.ai/compatibility' }] },
  { name: 'Perplexity', dialects: OPENAI, urls: [{ url: 'https://api.perplexity.ai', exact: true }] },
  { name: 'Hugging Face', dialects: OPENAI, urls: [{ url: 'https://router.huggingface.co' }] },
  { name: 'GitHub Models', dialects: OPENAI, urls: [{ url: 'https://models.github.ai/inference', exact: true }] },
  { name: 'Ollama', dialects: OPENAI, urls: [{ url: 'http://127.0.0.1:11434' }] },
];
