// What /stats/<window> says, as the parts of the dashboard want it.

/** How calls end, from the ground of the chart up: what went well, what blames nobody, then errors. [name, tint] */
export const OUTCOMES = [
  ['ok', 'ok'], ['client_gone', 'left'], ['ended', 'ended'], ['unknown', 'unknown'],
  ['rate_limited', 'limited'], ['client_errors', 'client'], ['server_errors', 'server'], ['timeouts', 'timeout'],
];
const ERRORS = ['unknown', 'rate_limited', 'client_errors', 'server_errors', 'timeouts'];

/** A series of the chart; one that is left out has nothing anywhere. */
export const lineOf = ({ chart, points }, name, nothing = 0) => chart[name] ?? Array(points).fill(nothing);

export const outcomeLine = ({ chart, points }, name) => chart.outcomes[name] ?? Array(points).fill(0);

const added = (lines, points) => Array.from({ length: points }, (_, i) => lines.reduce((sum, line) => sum + line[i], 0));

export const requestsLine = ({ chart, points }) => added(Object.values(chart.outcomes), points);

/** Shares of errors by point; null where nobody called. */
export function sharesLine({ chart, points }) {
  const requests = requestsLine({ chart, points });
  const errors = added(ERRORS.filter((name) => chart.outcomes[name]).map((name) => chart.outcomes[name]), points);
  return requests.map((n, i) => (n ? errors[i] / n : null));
}
