// What of two JSON values is not the same, field by field. No page.

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value) => Array.isArray(value) && value.every((one) => typeof one !== 'object' || one === null);
const isEmpty = (value) => !value || (typeof value === 'object' && !Object.keys(value).length);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const KEYS = ['id', 'name', 'url', 'model', 'prefix'];

/** By what the objects of lists are told apart; undefined where that is by their places. */
const keyIn = (...lists) =>
  KEYS.find((key) => lists.every((list) => list.every((one) => isObject(one) && typeof one[key] === 'string') && new Set(list.map((one) => one[key])).size === list.length));

function ofLists(before, after, name) {
  const key = keyIn(before, after);
  if (!key) return Array.from({ length: Math.max(before.length, after.length) }, (_, i) => differences(before[i], after[i], `${name}[${i}]`)).flat();
  const [was, is] = [before, after].map((list) => new Map(list.map((one) => [one[key], one])));
  const found = [...new Set([...was.keys(), ...is.keys()])].flatMap((one) => {
    if (was.has(one) && is.has(one)) return differences(was.get(one), is.get(one), `${name}[${one}]`);
    // of one that came or went its name is enough, where it has nothing else
    const said = Object.entries(was.get(one) ?? is.get(one)).filter(([, value]) => !isEmpty(value));
    const told = said.length > 1 ? Object.fromEntries(said) : one;
    return [{ name, was: was.has(one) ? told : undefined, is: is.has(one) ? told : undefined }];
  });
  return found.length ? found : [{ name, was: [...was.keys()], is: [...is.keys()] }];
}

/** Of what is wholly new, or gone, only what says something. */
const says = ({ was, is }) => !isEmpty(was === undefined ? is : was) || is === false || was === false;

/** What is to be read of two values: as `differences`, but of what came or went as a whole without what is empty. */
export const readable = (was, is) => {
  const found = differences(was, is);
  return was === undefined || is === undefined ? found.filter(says) : found;
};

/** name: the path of a field, `options.burst`, `urls[1].url`; was, is: undefined where there was, or is, none. */
export function differences(was, is, name = '') {
  if (same(was, is)) return [];
  if (isList(was ?? []) && isList(is ?? []) && (was || is)) {
    const [before, after] = [was ?? [], is ?? []];
    const gone = before.filter((one) => !after.includes(one));
    const come = after.filter((one) => !before.includes(one));
    // in another order only, or one of them is empty
    if (!gone.length && !come.length) return [{ name, was, is }];
    return [{ name, was: gone.length ? gone : undefined, is: come.length ? come : undefined }];
  }
  const [before, after] = [was ?? (Array.isArray(is) ? [] : {}), is ?? (Array.isArray(was) ? [] : {})];
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((one) => differences(before[one], after[one], name ? `${name}.${one}` : one));
  }
  if (Array.isArray(before) && Array.isArray(after)) return ofLists(before, after, name);
  return [{ name, was, is }];
}

/** A value as a person reads it. */
export const shown = (value) => (typeof value === 'string' ? value : Array.isArray(value) ? value.map(shown).join(', ') : JSON.stringify(value));
