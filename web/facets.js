/** Histograms of the indicators that filter each other: drag over one to keep a part of it. */

import { el, svg } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 240;
const HEIGHT = 46;

/**
 * @typedef {{edges: number[], all: number[], selected: number[]}} Bins
 */

/** @type {[number, number]} */
const ALL = [-Infinity, Infinity];

/**
 * @param {number} low
 * @param {number} high
 * @returns {[number, number] | null} null where all values are between
 */
function kept(low, high) {
  return low === -Infinity && high === Infinity ? null : [low, high];
}

/** @param {number} value */
function shown(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : "";
}

/** One indicator: its histogram, and the part of it that counts. */
export class Facet {
  /**
   * @param {string} name
   * @param {(range: [number, number] | null) => void} changed
   */
  constructor(name, changed) {
    this.name = name;
    this.changed = changed;
    /** @type {Bins | null} */
    this.bins = null;
    /** @type {[number, number] | null} */
    this.range = null;
    this.picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "facet-picture", "aria-hidden": "true" });
    this.low = this.field("from");
    this.high = this.field("to");
    this.clear = el("button", { type: "button", class: "link", hidden: true, onclick: () => this.set(null) }, "clear");
    this.node = el(
      "fieldset", { class: "facet" },
      el("legend", {}, name), this.picture,
      el("div", { class: "facet-range" }, this.low, el("span", {}, "to"), this.high, this.clear),
    );
    this.listen();
  }

  /** @param {string} which */
  field(which) {
    return el("input", {
      type: "number", step: "any", "aria-label": `${this.name} ${which}`,
      onchange: () => this.typed(which),
    });
  }

  /**
   * Take what was typed; the other side stays as it is, with digits that are not shown.
   * @param {string} which
   */
  typed(which) {
    let [low, high] = this.range || ALL;
    if (which === "from") low = this.low.value === "" ? -Infinity : Number(this.low.value);
    else high = this.high.value === "" ? Infinity : Number(this.high.value);
    const turned = low > high;
    this.low.setCustomValidity(turned ? "from is above to" : "");
    if (turned) this.low.reportValidity();
    else this.set(kept(low, high));
  }

  listen() {
    /** @type {number | null} */
    let from = null;
    const value = (/** @type {PointerEvent} */ event) => {
      const box = this.picture.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const edges = this.bins?.edges || [0, 1];
      if (share === 0 || share === 1) return share ? Infinity : -Infinity; // at the border: no limit
      return edges[0] + share * (edges[edges.length - 1] - edges[0]);
    };
    this.picture.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      from = value(event);
      this.picture.setPointerCapture(event.pointerId);
    });
    this.picture.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (from === null) return;
      const to = value(event);
      this.range = [Math.min(from, to), Math.max(from, to)];
      this.draw();
    });
    this.picture.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      if (from === null) return;
      const to = value(event);
      this.set(from === to ? null : kept(Math.min(from, to), Math.max(from, to)));
      from = null;
    });
  }

  /** @param {[number, number] | null} range */
  set(range) {
    this.range = range;
    this.low.setCustomValidity("");
    this.draw();
    this.changed(range);
  }

  /**
   * @param {Bins} bins
   * @param {[number, number] | null} range
   */
  show(bins, range) {
    this.bins = bins;
    if (range !== this.range) this.low.setCustomValidity("");
    this.range = range;
    this.draw();
  }

  draw() {
    if (!this.bins) return;
    const { edges, all, selected } = this.bins;
    const most = Math.max(1, ...all);
    const step = WIDTH / all.length;
    const low = edges[0];
    const scale = WIDTH / (edges[edges.length - 1] - low || 1);
    // A square root lets the few selected ones be seen beside the many.
    const height = (/** @type {number} */ count) => Math.sqrt(count / most) * (HEIGHT - 4);
    const bars = (/** @type {number[]} */ counts, /** @type {string} */ kind) =>
      counts.flatMap((count, n) =>
        count ? [svg("rect", { class: kind, x: n * step, width: Math.max(1, step - 1), y: HEIGHT - height(count), height: height(count) })] : [],
      );
    const at = (/** @type {number} */ value) => Math.min(WIDTH, Math.max(0, (value - low) * scale));
    const brush = this.range
      ? [svg("rect", { class: "brush", x: at(this.range[0]), width: Math.max(2, at(this.range[1]) - at(this.range[0])), y: 0, height: HEIGHT })]
      : [];
    this.picture.replaceChildren(...brush, ...bars(all, "all"), ...bars(selected, "chosen"));
    this.low.placeholder = number(low);
    this.high.placeholder = number(edges[edges.length - 1]);
    const [from, to] = this.range || ALL;
    // What arrives while somebody types must not wipe it.
    if (document.activeElement !== this.low) this.low.value = shown(from);
    if (document.activeElement !== this.high) this.high.value = shown(to);
    this.clear.hidden = !this.range;
  }
}
