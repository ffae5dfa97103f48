/** The map of the samples: a point each, near to what is alike; selected ones stand out. */

import { decoded } from "./data.js";
import { el } from "./dom.js";

/** @typedef {import("./data.js").Selection} Selection */

const REACH = 14;

/**
 * @typedef {{x: Float64Array, y: Float64Array, selected: Uint8Array, card: Int32Array}} Points
 */

/**
 * @param {import("./data.js").PackedMap} packed
 * @returns {Points}
 */
function points(packed) {
  const grid = (/** @type {string} */ text) =>
    Float64Array.from(new Uint16Array(decoded(text).buffer), (one) => one / 65535);
  return {
    x: grid(packed.x),
    y: grid(packed.y),
    selected: decoded(packed.selected),
    card: new Int32Array(decoded(packed.card).buffer),
  };
}

/** A canvas that one can drag, zoom, and click on a sample. */
export class SampleMap {
  /**
   * @param {Selection} selection
   * @param {(place: number) => void} open
   */
  constructor(selection, open) {
    this.selection = selection;
    this.open = open;
    const packed = /** @type {import("./data.js").PackedMap} */ (selection.values.map);
    this.points = points(packed);
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.canvas = el("canvas", {
      class: "map", role: "img",
      "aria-label": `Map of ${packed.told}: the vectors of ${packed.space} in two dimensions`,
    });
    this.tip = el("div", { class: "tip", hidden: true });
    this.onlySelected = false;
    this.node = el("div", { class: "map-box" }, this.controls(), this.canvas, this.tip);
    this.listen();
  }

  controls() {
    const zoom = (/** @type {number} */ by) => () => this.zoomed(by, 0.5, 0.5);
    return el(
      "div", { class: "map-controls" },
      el("button", { type: "button", "aria-label": "Zoom in", onclick: zoom(1.5) }, "+"),
      el("button", { type: "button", "aria-label": "Zoom out", onclick: zoom(1 / 1.5) }, "−"),
      el("button", { type: "button", onclick: () => this.reset() }, "Whole map"),
      el(
        "label", {},
        el("input", { type: "checkbox", onchange: (/** @type {any} */ event) => this.limit(event.target.checked) }),
        " selected only",
      ),
      el("span", { class: "key in" }, "● selected"),
      el("span", { class: "key out" }, "○ not selected"),
    );
  }

  listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.draw()).observe(canvas);
    /** @type {{x: number, y: number, moved: boolean} | null} */
    let held = null;
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      held = { x: event.offsetX, y: event.offsetY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!held) return this.hover(event);
      const [dx, dy] = [event.offsetX - held.x, event.offsetY - held.y];
      if (!held.moved && Math.hypot(dx, dy) < 4) return undefined;
      held = { x: event.offsetX, y: event.offsetY, moved: true };
      const size = this.size();
      this.view.x -= dx / size / this.view.zoom;
      this.view.y -= dy / size / this.view.zoom;
      return this.draw();
    });
    canvas.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      const place = held && !held.moved ? this.nearest(event.offsetX, event.offsetY) : -1;
      held = null;
      if (place >= 0) this.open(place);
    });
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey && this.view.zoom === 1 && event.deltaY > 0) return;
      event.preventDefault();
      const { width, height } = canvas.getBoundingClientRect();
      this.zoomed(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.offsetX / width, event.offsetY / height);
    }, { passive: false });
  }

  /** @param {boolean} yes */
  limit(yes) {
    this.onlySelected = yes;
    this.draw();
  }

  reset() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.draw();
  }

  /**
   * @param {number} by
   * @param {number} across where the pointer is, as a share of the canvas
   * @param {number} down
   */
  zoomed(by, across, down) {
    const zoom = Math.min(60, Math.max(1, this.view.zoom * by));
    const { width, height } = this.canvas.getBoundingClientRect();
    const size = this.size();
    const [dx, dy] = [((across - 0.5) * width) / size, ((down - 0.5) * height) / size];
    this.view.x += dx / this.view.zoom - dx / zoom;
    this.view.y += dy / this.view.zoom - dy / zoom;
    this.view.zoom = zoom;
    if (zoom === 1) this.reset();
    else this.draw();
  }

  size() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return Math.min(width, height) - 24;
  }

  /**
   * Where a point is on the canvas.
   * @param {number} n
   * @returns {[number, number]}
   */
  position(n) {
    const { width, height } = this.canvas.getBoundingClientRect();
    const size = this.size() * this.view.zoom;
    const stretch = Math.min(2, Math.max(1, width / height));
    return [
      width / 2 + (this.points.x[n] - this.view.x) * size * stretch,
      height / 2 + (1 - this.points.y[n] - this.view.y) * size,
    ];
  }

  draw() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * dense);
    this.canvas.height = Math.round(box.height * dense);
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    context.scale(dense, dense);
    const count = this.points.x.length;
    const radius = Math.max(1.2, Math.min(4, 90 / Math.sqrt(count)) * Math.sqrt(this.view.zoom));
    const size = this.size() * this.view.zoom;
    const stretch = Math.min(2, Math.max(1, box.width / box.height));
    const passes = this.onlySelected ? [1] : [0, 1];
    for (const selected of passes) {
      context.fillStyle = style.getPropertyValue(selected ? "--in" : "--map-out");
      context.globalAlpha = selected ? 0.9 : count > 20000 ? 0.35 : 0.6;
      const r = selected ? radius * 1.25 : radius;
      for (let n = 0; n < count; n += 1) {
        if (this.points.selected[n] !== selected) continue;
        const x = box.width / 2 + (this.points.x[n] - this.view.x) * size * stretch;
        const y = box.height / 2 + (1 - this.points.y[n] - this.view.y) * size;
        if (x < -r || y < -r || x > box.width + r || y > box.height + r) continue;
        if (r < 2) context.fillRect(x - r, y - r, 2 * r, 2 * r);
        else {
          context.beginPath();
          context.arc(x, y, r, 0, 2 * Math.PI);
          context.fill();
        }
      }
    }
  }

  /**
   * The shown sample whose point is nearest to a place of the canvas, -1 where none is near.
   * @param {number} x
   * @param {number} y
   */
  nearest(x, y) {
    let best = -1;
    let least = REACH * REACH;
    for (let n = 0; n < this.points.x.length; n += 1) {
      if (this.points.card[n] < 0 || (this.onlySelected && !this.points.selected[n])) continue;
      const [px, py] = this.position(n);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [least, best] = [distance, this.points.card[n]];
    }
    return best;
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const place = this.nearest(event.offsetX, event.offsetY);
    this.canvas.style.cursor = place < 0 ? "grab" : "pointer";
    this.tip.hidden = place < 0;
    if (place < 0) return;
    const source = this.selection.picture(place);
    const [question, answer] = this.selection.said(place);
    this.tip.replaceChildren(
      source ? el("img", { src: source, alt: "" }) : "",
      el("strong", { dir: "auto" }, this.selection.samples.id[place]),
      el("span", { dir: "auto" }, (answer || question).slice(0, 120)),
    );
    const box = this.canvas.getBoundingClientRect();
    const side = event.offsetX > box.width / 2;
    this.tip.style.left = side ? "auto" : `${event.offsetX + 16}px`;
    this.tip.style.right = side ? `${box.width - event.offsetX + 16}px` : "auto";
    this.tip.style.top = `${this.canvas.offsetTop + event.offsetY + 12}px`;
  }
}
