/** Which samples are shown, and in what order: a plain value that the address of the page keeps. */

/** @typedef {import("./data.js").Selection} Selection */

/**
 * @typedef {{view: string, q: string, fate: string, group: string, cluster: string, sort: string,
 *   down: boolean}} Query
 */

/** @type {Query} */
export const EVERYTHING = {
  view: "selected", q: "", fate: "", group: "", cluster: "", sort: "", down: false,
};

/**
 * Read a query from the address of a page.
 * @param {string} hash
 * @returns {Query}
 */
export function fromAddress(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {any} */
  const query = { ...EVERYTHING };
  for (const name of Object.keys(EVERYTHING)) {
    const value = given.get(name);
    if (value !== null) query[name] = name === "down" ? value === "1" : value;
  }
  return query;
}

/**
 * @param {Query} query
 * @returns {string}
 */
export function toAddress(query) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const usual = /** @type {any} */ (EVERYTHING)[name];
    if (value !== usual) given.set(name, value === true ? "1" : String(value));
  }
  const text = given.toString();
  return text ? `#${text}` : "#samples";
}

/**
 * The places of the samples that a query asks for, in its order.
 * @param {Selection} selection
 * @param {Query} query
 * @returns {number[]}
 */
export function places(selection, query) {
  const { samples } = selection;
  const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = candidates(selection, query.view).filter(
    (place) =>
      (query.fate === "" || String(samples.fate[place]) === query.fate) &&
      (query.group === "" || String(samples.group?.[place]) === query.group) &&
      (query.cluster === "" || String(samples.cluster?.[place]) === query.cluster) &&
      words.every((word) => selection.text(place).includes(word)),
  );
  return query.sort === "" ? turned(found, query.down) : sorted(selection, found, query);
}

/**
 * @param {Selection} selection
 * @param {string} view
 * @returns {number[]}
 */
function candidates(selection, view) {
  const all = Array.from({ length: selection.count }, (_, place) => place);
  if (view === "all") return all;
  const gallery = selection.values.galleries.find((one) => one.key === view);
  if (gallery) return gallery.rows;
  if (view === "rest") return all.filter((place) => !selection.isSelected(place));
  const chosen = all.filter((place) => selection.isSelected(place));
  return chosen.sort((one, other) => selection.samples.rank[one] - selection.samples.rank[other]);
}

/**
 * @param {number[]} found
 * @param {boolean} down
 */
function turned(found, down) {
  return down ? [...found].reverse() : found;
}

/**
 * Sort by a number; samples that have none come last, whichever way round.
 * @param {Selection} selection
 * @param {number[]} found
 * @param {Query} query
 */
function sorted(selection, found, query) {
  const values = sortKey(selection, query.sort);
  const sign = query.down ? -1 : 1;
  return [...found].sort((one, other) => {
    const [a, b] = [values[one], values[other]];
    if (a === null || b === null) return Number(a === null) - Number(b === null) || one - other;
    return sign * (a - b) || one - other;
  });
}

/**
 * @param {Selection} selection
 * @param {string} name "rank", "final", "row", or the name of an indicator after "by:"
 * @returns {(number | null)[]}
 */
function sortKey(selection, name) {
  const { samples, values } = selection;
  if (name === "final") return samples.final;
  if (name === "row") return samples.row;
  if (name === "rank") return samples.rank.map((rank) => rank || null);
  const column = values.columns.findIndex((one) => `by:${one.name}` === name);
  return column < 0 ? samples.row : samples.raw[column];
}
