// By what the log is narrowed, as it stands in the address and as the API is asked.

export const OUTCOMES = [
  'ok', 'refused', 'answered_here', 'client_gone', 'ended', 'interrupted', 'rate_limited', 'rate_limited_account', 'quota_exhausted',
  'invalid_key', 'refused_key', 'account_suspended', 'model_unavailable', 'overloaded', 'server_error', 'unreachable', 'timeout',
  'soft_error', 'empty', 'malformed', 'stalled', 'truncated', 'try_again', 'too_long', 'content_filtered', 'bad_request',
];
export const DIALECTS = ['openai', 'responses', 'anthropic', 'gemini'];
/** Those behind a button of their own. */
export const RARE = ['from_ms', 'to_ms', 'token_id', 'channel_id', 'mapping', 'key_id', 'dialect', 'stream'];
const FILTERS = ['q', 'model', 'status', 'outcome', ...RARE];

/** Each that the address says; `rows` is 'all' where attempts are shown one by one. */
export const askedIn = (query) => Object.fromEntries([...FILTERS, 'rows'].map((name) => [name, query[name] ?? '']));

/** What the API is asked for. */
export const toAsk = ({ rows, ...filters }) => ({ ...filters, final: rows ? '' : 'true' });

export const isNarrowed = (asked) => FILTERS.some((name) => asked[name]);

export const NOTHING = Object.fromEntries(FILTERS.map((name) => [name, '']));
