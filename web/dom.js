/** Makes elements; whatever a data set says enters a page as text, never as markup. */

/**
 * @typedef {string | number | Node | null | undefined | false} Child
 * @typedef {Record<string, any>} Attributes
 */

/**
 * Make an element. Keys that begin with "on" are listeners; `class`, `data-…` and `aria-…` are
 * attributes, and so is everything else but `text`. False, null and undefined leave one out.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/**
 * @param {Node} node
 * @param {(Child | Child[])[]} children
 */
function append(node, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    node.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * Make an SVG element.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  append(node, children);
  return node;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * A section with a heading, which the navigation can lead to.
 * @param {string} id
 * @param {string} title
 * @param {string | null} told
 * @param {...(Child | Child[])} children
 */
export function section(id, title, told, ...children) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const note = told && el("p", { class: "told" }, told);
  return el("section", { id, "aria-labelledby": `${id}-title` }, heading, note, ...children);
}

/**
 * A table with a caption, which scrolls sideways by itself.
 * @param {string | null} caption
 * @param {string[]} columns
 * @param {Child[][]} rows
 */
export function table(caption, columns, rows) {
  const numeric = columns.map((_, n) => rows.every((row) => isNumber(row[n])));
  const kind = (/** @type {number} */ n) => (numeric[n] ? "number" : null);
  const head = el("tr", {}, columns.map((name, n) => el("th", { scope: "col", class: kind(n) }, name)));
  const body = rows.map((row) => el("tr", {}, row.map((cell, n) => el("td", { class: kind(n) }, cell))));
  const label = caption || "table";
  return el(
    "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("table", {}, caption && el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, body)),
  );
}

/** @param {unknown} cell */
function isNumber(cell) {
  return cell === null || typeof cell === "number" || (typeof cell === "string" && /^(–|[-+]?[\d.,]+(e[-+]?\d+)? ?%?)$/.test(cell));
}
