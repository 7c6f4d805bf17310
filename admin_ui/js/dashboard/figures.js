// What /stats says of a span, as the parts of the dashboard want it.

/** How calls end, from the ground of the chart up: what went well, what blames nobody, then errors. */
export const OUTCOMES = [
  ['ok', 'ok'], ['client_gone', 'left'], ['ended', 'ended'], ['unknown', 'unknown'], ['rate_limited', 'limited'], ['client_errors', 'client'], ['server_errors', 'server'], ['timeouts', 'timeout'],
];

export const HEALTH_SEGMENTS = 30;
const FAIR_SHARE = 0.01;
const FAILING_SHARE = 0.25;

const NO_TIMES = { avg: null, p50: null, p95: null, p99: null };
const NOTHING = { requests: 0, errors: 0, request_bytes: 0, response_bytes: 0, duration_ms: NO_TIMES, first_byte_ms: NO_TIMES };

export const errorShare = ({ requests, errors }) => (requests ? errors / requests : 0);

/** Of all endpoints, or of one, which may have had no call. */
export function figuresOf(window, endpoint) {
  const figures = (endpoint ? window.endpoints[endpoint] : window.all) ?? NOTHING;
  if (figures.outcomes || !figures.series) return figures;
  const { requests, errors } = figures.series;
  return {
    ...figures, outcomes: { ok: figures.requests - figures.errors, unknown: figures.errors },
    series: { requests, errors, ok: requests.map((n, i) => n - errors[i]), unknown: errors },
  };
}

export const pointsOf = (window) => Math.max(1, Math.round((window.to_ms - window.from_ms) / (window.step_s * 1_000)));

/** One line of a series; an empty one stands for nothing at every point. */
export function lineOf({ series }, name, points, nothing = 0) {
  const line = series?.[name];
  return line?.length ? line : Array(points).fill(nothing);
}

/** Shares of errors by point; null where nobody called. */
export const sharesOf = (requests, errors) => requests.map((n, i) => (n ? errors[i] / n : null));

/** Requests and errors of the span in so many parts of it, which are as equal as its points allow. */
export function healthOf(requests, errors, segments = HEALTH_SEGMENTS) {
  const parts = Array.from({ length: Math.min(segments, requests.length) }, () => ({ requests: 0, errors: 0 }));
  requests.forEach((n, i) => {
    const part = parts[Math.floor((i * parts.length) / requests.length)];
    part.requests += n;
    part.errors += errors[i];
  });
  return parts;
}

/** 'none': nobody called; 'good': less than one error in a hundred calls; 'fair': less than one in four; 'bad': more. */
export function stateOf(part) {
  if (!part?.requests) return 'none';
  const share = errorShare(part);
  return share < FAIR_SHARE ? 'good' : share < FAILING_SHARE ? 'fair' : 'bad';
}

/** The last part of the span in which anybody called. */
export const lastCalled = (health) => health.findLast(({ requests }) => requests > 0);
