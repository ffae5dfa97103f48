/** The map of any number of samples: their density from afar, and points when one is near. */

import { decoded } from "./data.js";
import { el } from "./dom.js";
import { counted, message, whole } from "./format.js";
import { ask } from "./remote.js";

const CELLS = 256;
const REACH = 12;
const PAUSE = 120;

/** @param {Int32Array | Uint8Array} counts */
function added(counts) {
  let sum = 0;
  for (const one of counts) sum += one;
  return sum;
}

/**
 * @param {number} count
 * @param {Int32Array | Uint8Array} selected
 */
function inSight(count, selected) {
  return `${counted(count, "sample")} in sight, ${whole(added(selected))} of them selected`;
}

/** A map that asks the server for what is in sight. */
export class DensityMap {
  /**
   * @param {import("./remote.js").RemoteSelection} selection
   * @param {() => Record<string, string>} filter what else samples must be like
   * @param {(row: number) => void} open
   * @param {(box: number[] | null) => void} region
   */
  constructor(selection, filter, open, region) {
    this.selection = selection;
    this.filter = filter;
    this.open = open;
    this.region = region;
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    /** @type {any} */
    this.part = null;
    /** @type {number[] | null} */
    this.box = null;
    this.marks = false;
    this.asked = 0;
    this.canvas = el("canvas", { class: "map", role: "img", "aria-label": `Map of the vectors of ${selection.values.map?.space}` });
    this.told = el("p", { class: "told", role: "status" });
    this.note = el("p", { class: "told", role: "status" });
    const zoom = (/** @type {number} */ by) => () => this.zoomed(by, 0.5, 0.5);
    this.mark = el("input", { type: "checkbox", onchange: (/** @type {any} */ event) => { this.marks = event.target.checked; } });
    this.node = el(
      "div", { class: "map-box" },
      el(
        "div", { class: "map-controls" },
        el("button", { type: "button", "aria-label": "Zoom in", onclick: zoom(1.5) }, "+"),
        el("button", { type: "button", "aria-label": "Zoom out", onclick: zoom(1 / 1.5) }, "−"),
        el("button", { type: "button", onclick: () => this.reset() }, "Whole map"),
        el("label", {}, this.mark, " drag marks a region"),
        el("span", { class: "key in" }, "● selected"), el("span", { class: "key out" }, "○ not selected"),
      ),
      this.canvas, this.told, this.note,
    );
    this.listen();
  }

  listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.load()).observe(canvas);
    /** @type {any} */
    let held = null;
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      held = { x: event.offsetX, y: event.offsetY, from: this.at(event.offsetX, event.offsetY), moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!held || (!held.moved && Math.hypot(event.offsetX - held.x, event.offsetY - held.y) < 4)) return;
      held.moved = true;
      const [x, y] = this.at(event.offsetX, event.offsetY);
      if (this.marks) {
        const [fx, fy] = held.from;
        this.box = [Math.min(x, fx), Math.min(y, fy), Math.max(x, fx), Math.max(y, fy)];
        this.draw();
        return;
      }
      this.view.x += held.from[0] - x;
      this.view.y += held.from[1] - y;
      this.draw();
      this.later();
    });
    canvas.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
      if (held && held.moved && this.marks) this.region(this.box);
      if (held && !held.moved) this.clicked(event.offsetX, event.offsetY);
      held = null;
    });
    canvas.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
      if (this.view.zoom === 1 && event.deltaY > 0) return;
      event.preventDefault();
      const { width, height } = canvas.getBoundingClientRect();
      this.zoomed(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX / width, event.offsetY / height);
    }, { passive: false });
  }

  reset() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.load();
  }

  /**
   * @param {number} by
   * @param {number} across
   * @param {number} down
   */
  zoomed(by, across, down) {
    const { width, height } = this.canvas.getBoundingClientRect();
    const before = this.at(across * width, down * height);
    this.view.zoom = Math.min(500, Math.max(1, this.view.zoom * by));
    const after = this.at(across * width, down * height);
    this.view.x += before[0] - after[0];
    this.view.y += before[1] - after[1];
    if (this.view.zoom === 1) this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.draw();
    this.later();
  }

  scale() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return [(width - 20) * this.view.zoom, (height - 20) * this.view.zoom];
  }

  /**
   * The place of the map under a place of the canvas.
   * @param {number} px
   * @param {number} py
   * @returns {[number, number]}
   */
  at(px, py) {
    const { width, height } = this.canvas.getBoundingClientRect();
    const [sx, sy] = this.scale();
    return [this.view.x + (px - width / 2) / sx, this.view.y - (py - height / 2) / sy];
  }

  /**
   * The place of the canvas that shows a place of the map.
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  to(x, y) {
    const { width, height } = this.canvas.getBoundingClientRect();
    const [sx, sy] = this.scale();
    return [width / 2 + (x - this.view.x) * sx, height / 2 - (y - this.view.y) * sy];
  }

  sight() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const [left, top] = this.at(0, 0);
    const [right, bottom] = this.at(width, height);
    return [left, bottom, right, top];
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), PAUSE);
  }

  async load() {
    if (!this.canvas.clientWidth) return;
    this.asked += 1;
    const number = this.asked;
    const box = this.sight();
    let answer;
    try {
      answer = await ask("/api/map", { ...this.filter(), box: box.join(",") });
    } catch (error) {
      if (number === this.asked) this.told.textContent = message(error);
      return;
    }
    if (number !== this.asked) return;
    this.part = { ...answer, box };
    if (answer.kind === "points") {
      this.part.rows = new Int32Array(decoded(answer.rows).buffer);
      this.part.x = new Float32Array(decoded(answer.x).buffer);
      this.part.y = new Float32Array(decoded(answer.y).buffer);
      this.part.selected = decoded(answer.selected);
      this.told.textContent = `${inSight(this.part.rows.length, this.part.selected)}.`;
    } else if (answer.kind === "density") {
      for (const name of ["cells", "everyone", "selected"]) this.part[name] = new Int32Array(decoded(answer[name]).buffer);
      this.told.textContent = `${inSight(added(this.part.everyone), this.part.selected)}, drawn by how many lie where: zoom in for points.`;
    } else this.told.textContent = "This data set has no vectors to make a map of.";
    this.draw();
  }

  draw() {
    const bounds = this.canvas.getBoundingClientRect();
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.round(bounds.width * dense);
    this.canvas.height = Math.round(bounds.height * dense);
    const context = this.canvas.getContext("2d");
    context.scale(dense, dense);
    const style = getComputedStyle(this.canvas);
    const colours = [style.getPropertyValue("--map-out"), style.getPropertyValue("--in")];
    if (this.part?.kind === "density") this.drawDensity(context, colours);
    else if (this.part?.kind === "points") this.drawPoints(context, colours);
    if (this.box) {
      const [x0, y1] = this.to(this.box[0], this.box[1]);
      const [x1, y0] = this.to(this.box[2], this.box[3]);
      context.strokeStyle = style.getPropertyValue("--accent");
      context.lineWidth = 2;
      context.globalAlpha = 1;
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string[]} colours
   */
  drawDensity(context, colours) {
    const { cells, everyone, selected, box } = this.part;
    let most = 1;
    for (const count of everyone) most = Math.max(most, count);
    const [width, height] = [(box[2] - box[0]) / CELLS, (box[3] - box[1]) / CELLS];
    for (let n = 0; n < cells.length; n += 1) {
      const x = box[0] + (cells[n] % CELLS) * width;
      const y = box[1] + Math.floor(cells[n] / CELLS) * height;
      const [x0, y0] = this.to(x, y + height);
      const [x1, y1] = this.to(x + width, y);
      context.fillStyle = colours[0];
      context.globalAlpha = 0.12 + 0.88 * Math.sqrt(everyone[n] / most);
      context.fillRect(x0, y0, x1 - x0 + 0.5, y1 - y0 + 0.5);
      if (!selected[n]) continue;
      context.fillStyle = colours[1];
      context.globalAlpha = 0.95;
      const size = Math.min(x1 - x0, y1 - y0, 3.5) + Math.min(2, Math.log2(selected[n] + 1) / 2);
      context.fillRect((x0 + x1 - size) / 2, (y0 + y1 - size) / 2, size, size);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string[]} colours
   */
  drawPoints(context, colours) {
    const { rows, x, y, selected } = this.part;
    const radius = Math.max(1.2, Math.min(5, 110 / Math.sqrt(rows.length)));
    for (const kind of [0, 1]) {
      context.fillStyle = colours[kind];
      context.globalAlpha = kind ? 0.9 : 0.55;
      for (let n = 0; n < rows.length; n += 1) {
        if (selected[n] !== kind) continue;
        const [px, py] = this.to(x[n], y[n]);
        context.beginPath();
        context.arc(px, py, kind ? radius * 1.2 : radius, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  /**
   * @param {number} px
   * @param {number} py
   */
  clicked(px, py) {
    if (this.part?.kind !== "points") {
      this.zoomed(3, px / this.canvas.clientWidth, py / this.canvas.clientHeight);
      return;
    }
    let best = -1;
    let least = REACH * REACH;
    for (let n = 0; n < this.part.rows.length; n += 1) {
      const [x, y] = this.to(this.part.x[n], this.part.y[n]);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < least) [least, best] = [distance, this.part.rows[n]];
    }
    if (best >= 0) this.open(best);
  }
}
