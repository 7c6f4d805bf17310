// On whom an outcome rests, as core/judging/outcome.py has it.
const BLAMED = {
  key: ['quota_exhausted', 'rate_limited', 'invalid_key', 'refused_key'],
  channel: ['rate_limited_account', 'account_suspended', 'soft_error', 'empty', 'malformed', 'stalled', 'truncated'],
  model: ['model_unavailable', 'overloaded'],
  url: ['server_error', 'unreachable', 'timeout'],
  client: ['too_long', 'content_filtered', 'bad_request'],
};

/** 'nobody' where it rests on none. */
export const blameOf = (outcome) => Object.keys(BLAMED).find((who) => BLAMED[who].includes(outcome)) ?? 'nobody';
