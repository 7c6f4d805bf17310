import { ApiError } from './api.js';

/** As long as a body may be; the gateway would close the connection in the middle of a longer one. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Raises what the gateway would say of too large a file. */
export function checkSize(file) {
  if (file.size > MOST_BYTES) throw new ApiError(413, { code: 'body_too_large', field: 'file' });
}
