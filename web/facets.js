/** Histograms of the indicators that filter each other: drag over one to keep a part of it. */

import { el, svg } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 240;
const HEIGHT = 46;

/**
 * @typedef {{edges: number[], all: number[], selected: number[]}} Bins
 */

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
      onchange: () => this.typed(),
    });
  }

  typed() {
    if (!this.bins) return;
    const { edges } = this.bins;
    const low = this.low.value === "" ? edges[0] : Number(this.low.value);
    const high = this.high.value === "" ? edges[edges.length - 1] : Number(this.high.value);
    if (low <= high) this.set([low, high]);
  }

  listen() {
    /** @type {number | null} */
    let from = null;
    const value = (/** @type {PointerEvent} */ event) => {
      const box = this.picture.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const edges = this.bins?.edges || [0, 1];
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
      const moved = Math.abs(to - from) > 0;
      this.set(moved ? [Math.min(from, to), Math.max(from, to)] : null);
      from = null;
    });
  }

  /** @param {[number, number] | null} range */
  set(range) {
    this.range = range;
    this.draw();
    this.changed(range);
  }

  /**
   * @param {Bins} bins
   * @param {[number, number] | null} range
   */
  show(bins, range) {
    this.bins = bins;
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
    const brush = this.range
      ? [svg("rect", { class: "brush", x: (this.range[0] - low) * scale, width: Math.max(2, (this.range[1] - this.range[0]) * scale), y: 0, height: HEIGHT })]
      : [];
    this.picture.replaceChildren(...brush, ...bars(all, "all"), ...bars(selected, "chosen"));
    this.low.placeholder = number(low);
    this.high.placeholder = number(edges[edges.length - 1]);
    this.low.value = this.range ? String(Number(this.range[0].toPrecision(5))) : "";
    this.high.value = this.range ? String(Number(this.range[1].toPrecision(5))) : "";
    this.clear.hidden = !this.range;
  }
}
