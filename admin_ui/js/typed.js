// What is typed into the fields of a form, and back: as it was typed wherever the server judges it.

/** 0 means “none” or “by itself”: an empty field. */
export const numberText = (value) => (value === 0 ? '' : String(value));

/** empty: what an empty field means. */
export const number = (text, empty) => {
  const said = String(text).trim();
  if (said === '') return empty;
  return Number.isFinite(Number(said)) ? Number(said) : said;
};

/** One a line, or with commas between them. */
export const linesIn = (text) => text.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);

/** What is said otherwise than it was: the rest is not sent, so that it does not undo what somebody else set meanwhile. */
export const changesBetween = (was, is) =>
  Object.fromEntries(Object.entries(is).filter(([name, said]) => JSON.stringify(said) !== JSON.stringify(was[name])));
