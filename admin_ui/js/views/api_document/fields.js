// JSON Schema as rows for people: one for each field, those of objects in it behind.
const DEEPEST = 3;

const titled = (schema, schemas) => schemas[schema.$ref.split('/').pop()];
const whole = (schema, schemas) => (schema.$ref ? { ...titled(schema, schemas), ...schema } : schema);
const kinds = ({ type }) => [type].flat().filter((kind) => kind && kind !== 'null');

function one(schema, schemas) {
  if (schema.enum) return schema.enum.filter((word) => word !== null).map((word) => (word === '' ? '""' : word)).join(' | ');
  const [kind] = kinds(schema);
  if (kind === 'array') return `[${typeOf(schema.items ?? {}, schemas)}]`;
  if (kind === 'object' && typeof schema.additionalProperties === 'object') return `{ name: ${typeOf(schema.additionalProperties, schemas)} }`;
  if (!kind && schema.anyOf) return schema.anyOf.filter(({ type }) => type !== 'null').map((any) => typeOf(any, schemas)).join(' | ');
  return kind ?? 'any';
}

/** The type of a value in words of JSON Schema. */
export function typeOf(schema, schemas) {
  const told = whole(schema, schemas);
  const mayBeNull = [told.type].flat().includes('null') || told.anyOf?.some(({ type }) => type === 'null');
  return one(told, schemas) + (mayBeNull ? ' | null' : '');
}

/** What bounds it, such as `0 – 100` or `≤ 300`; empty where nothing does. */
export function boundsOf(schema, schemas) {
  const { minimum, maximum, maxLength, minItems, maxItems } = whole(schema, schemas);
  const number = (bound) => bound?.toLocaleString('en-US') ?? '';
  if (minimum !== undefined || maximum !== undefined) return `${number(minimum)} – ${number(maximum)}`.trim();
  const most = maxLength ?? maxItems;
  return [minItems && `≥ ${minItems}`, most !== undefined && `≤ ${number(most)}`].filter(Boolean).join(' ');
}

/** The object that a schema speaks of, itself or in a list or by names; null where there is none. */
function objectIn(schema, schemas) {
  const told = whole(schema, schemas);
  if (told.properties) return ['', told];
  if (kinds(told)[0] === 'array') return nested('[]', told.items, schemas);
  if (typeof told.additionalProperties === 'object') return nested('.*', told.additionalProperties, schemas);
  return null;
}

function nested(mark, schema, schemas) {
  const found = schema && objectIn(schema, schemas);
  return found && [mark + found[0], found[1]];
}

/** Rows {path, needed, schema} of an object's fields; those that are only passed over are left out. */
export function rowsOf(schema, schemas, path = '', depth = 0) {
  const found = objectIn(schema, schemas);
  if (!found || depth > DEEPEST) return [];
  const [mark, { properties, required = [] }] = found;
  const before = path + mark;
  return Object.entries(properties).filter(([, { readOnly }]) => !readOnly).flatMap(([name, field]) => {
    const here = before ? `${before}.${name}` : name;
    return [{ path: here, needed: required.includes(name), schema: whole(field, schemas) }, ...rowsOf(field, schemas, here, depth + 1)];
  });
}
