// A command that makes a call as it is described, to be pasted into a shell that knows ADMIN_TOKEN.
// what stands for the token is left to the shell
const quoted = (text) => `'${text.replaceAll("'", "'\\''").replaceAll('$ADMIN_TOKEN', `'"$ADMIN_TOKEN"'`)}'`;

/** The path with an example of each part, and of each parameter that must be there. */
function target(path, parameters) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, in: place, required, example, schema } of parameters) {
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(example));
    else if (required) query.set(name, schema.examples?.[0] ?? '');
  }
  return query.size ? `${filled}?${query}` : filled;
}

function bodyOf(content) {
  if (content['application/json']) return ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(content['application/json'].example))}`];
  return content['multipart/form-data'] ? ['-F file=@file.csv'] : [];
}

export function curlOf({ method, path, told }) {
  const parts = [method === 'get' ? 'curl' : `curl -X ${method.toUpperCase()}`, quoted(location.origin + target(path, told.parameters ?? []))];
  const lines = [parts.join(' ')];
  if (told.security?.length !== 0) lines.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  if (told.requestBody) lines.push(...bodyOf(told.requestBody.content));
  return lines.join(' \\\n  ');
}
