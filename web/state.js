/** What a browser looks at: kept in the address, so that a link shows the same. */

/**
 * What the sliders ask for, as they are written in the address; "" is what the selection has.
 * @typedef {{size: string, scale: string, weights: Record<string, string>}} WhatIf
 */

/**
 * Ranges are infinite where a side is open.
 * @typedef {{selection: string, tab: string, view: string, q: string, fate: string, group: string,
 *   cluster: string, sort: string, down: string, ranges: Record<string, [number, number]>,
 *   open: string} & WhatIf} State
 */

/** @type {WhatIf} */
export const AS_IT_IS = { size: "", scale: "", weights: {} };

/** @type {State} */
export const START = {
  selection: "", tab: "gallery", view: "selected", q: "", fate: "", group: "", cluster: "",
  sort: "", down: "", ranges: {}, open: "", ...AS_IT_IS,
};

const RANGE = "range.";
const WEIGHT = "weight.";
const NAMED = ["ranges", "weights"];

/**
 * @param {string} search the query of an address
 * @returns {State}
 */
export function fromAddress(search) {
  /** @type {any} */
  const state = { ...START };
  /** @type {[string, [number, number]][]} */
  const ranges = [];
  /** @type {[string, string][]} */
  const weights = [];
  for (const [name, value] of new URLSearchParams(search)) {
    if (name.startsWith(RANGE)) {
      const range = rangeOf(value);
      if (range) ranges.push([name.slice(RANGE.length), range]);
    } else if (name.startsWith(WEIGHT)) {
      if (value !== "" && Number.isFinite(Number(value))) weights.push([name.slice(WEIGHT.length), value]);
    } else if (Object.hasOwn(START, name) && !NAMED.includes(name)) state[name] = value;
  }
  return { ...state, ranges: Object.fromEntries(ranges), weights: Object.fromEntries(weights) };
}

/**
 * @param {string} text two numbers with a comma; an empty one leaves its side open
 * @returns {[number, number] | null}
 */
function rangeOf(text) {
  const sides = text.split(",");
  if (sides.length !== 2) return null;
  const low = sides[0] === "" ? -Infinity : Number(sides[0]);
  const high = sides[1] === "" ? Infinity : Number(sides[1]);
  return low <= high ? [low, high] : null;
}

/** @param {[number, number]} range */
function rangeText(range) {
  return range.map((one) => (Number.isFinite(one) ? String(one) : "")).join(",");
}

/**
 * @param {State} state
 * @returns {string}
 */
export function toAddress(state) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (!NAMED.includes(name) && value !== /** @type {any} */ (START)[name]) given.set(name, String(value));
  }
  for (const [name, range] of Object.entries(state.ranges)) given.set(RANGE + name, rangeText(range));
  for (const [name, weight] of Object.entries(state.weights)) given.set(WEIGHT + name, weight);
  const text = given.toString();
  return text ? `?${text}` : location.pathname;
}

/**
 * What the server has to know of a state.
 * @param {State} state
 * @returns {Record<string, string>}
 */
export function filterQuery(state) {
  /** @type {Record<string, string>} */
  const query = { view: state.view };
  for (const name of /** @type {const} */ (["selection", "q", "fate", "group", "cluster", "sort", "down"])) {
    if (state[name]) query[name] = state[name];
  }
  for (const [name, range] of Object.entries(state.ranges)) query[RANGE + name] = rangeText(range);
  return query;
}

/**
 * @param {WhatIf} wanted
 * @returns {Record<string, string>}
 */
export function whatifQuery(wanted) {
  /** @type {Record<string, string>} */
  const query = {};
  if (wanted.size) query.size = wanted.size;
  if (wanted.scale) query.scale = wanted.scale;
  for (const [name, weight] of Object.entries(wanted.weights)) query[WEIGHT + name] = weight;
  return query;
}

/** @param {WhatIf} wanted */
export function changesNothing(wanted) {
  return !wanted.size && !wanted.scale && !Object.keys(wanted.weights).length;
}
