/** What a browser looks at: kept in the address, so that a link shows the same. */

/**
 * @typedef {{selection: string, tab: string, view: string, q: string, fate: string, group: string,
 *   cluster: string, sort: string, down: string, ranges: Record<string, [number, number]>,
 *   open: string}} State
 */

/** @type {State} */
export const START = {
  selection: "", tab: "gallery", view: "selected", q: "", fate: "", group: "", cluster: "",
  sort: "", down: "", ranges: {}, open: "",
};

const RANGE = "range.";

/**
 * @param {string} search the query of an address
 * @returns {State}
 */
export function fromAddress(search) {
  /** @type {any} */
  const state = { ...START };
  /** @type {[string, number[]][]} */
  const ranges = [];
  for (const [name, value] of new URLSearchParams(search)) {
    if (name.startsWith(RANGE)) {
      const [low, high] = value.split(",").map(Number);
      if (Number.isFinite(low) && Number.isFinite(high)) ranges.push([name.slice(RANGE.length), [low, high]]);
    } else if (Object.hasOwn(START, name) && name !== "ranges") state[name] = value;
  }
  return { ...state, ranges: Object.fromEntries(ranges) };
}

/**
 * @param {State} state
 * @returns {string}
 */
export function toAddress(state) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (name !== "ranges" && value !== /** @type {any} */ (START)[name]) given.set(name, String(value));
  }
  for (const [name, range] of Object.entries(state.ranges)) given.set(RANGE + name, range.join(","));
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
  for (const [name, range] of Object.entries(state.ranges)) query[RANGE + name] = range.join(",");
  return query;
}
