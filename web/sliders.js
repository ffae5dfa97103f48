/** What if: sliders for weights and size, a choice of scale, and what would enter and leave. */

import { card } from "./card.js";
import { el, table } from "./dom.js";
import { counted, number, whole } from "./format.js";
import { ask, hasToken, store } from "./remote.js";

/** @typedef {import("./remote.js").RemoteSelection} RemoteSelection */

const SHOWN = 24;

/** The panel that selects again while one moves a slider. */
export class Sliders {
  /**
   * @param {RemoteSelection} selection
   * @param {string[]} scales
   * @param {(place: number, list: number[]) => void} open
   * @param {() => void} stored
   */
  constructor(selection, scales, open, stored) {
    this.selection = selection;
    this.open = open;
    this.stored = stored;
    const { about, columns } = selection.values;
    /** @type {Map<string, number>} */
    this.weights = new Map();
    this.size = about.size;
    this.scale = about.scale || "paper";
    this.waiting = false;
    this.again = false;
    this.told = el("p", { class: "told", role: "status", "aria-live": "polite" });
    this.result = el("div", { class: "whatif-result" });
    const usable = columns.filter((/** @type {any} */ one) => one.canCount);
    const controls = el(
      "form", { class: "whatif-controls", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      this.slider("size", 1, Math.max(1, about.competing), 1, about.size, (value) => { this.size = value; }),
      usable.map((/** @type {any} */ one) =>
        this.slider(one.name, Math.min(0, one.weight || 0), Math.max(1, 2 * (one.weight || 0)), 0.01, one.weight || 0,
          (value) => { this.weights.set(one.name, value); })),
      this.scales(scales),
      el("button", { type: "button", class: "quiet", onclick: () => this.reset() }, "As it is"),
      this.saving(),
    );
    this.controls = controls;
    this.node = el(
      "section", { id: "whatif", "aria-labelledby": "whatif-title" },
      el("h2", { id: "whatif-title" }, "What if"),
      about.canSelect
        ? [el("p", { class: "told" }, "Move a slider: what would enter the selection, and what would leave it."), controls, this.told, this.result]
        : el("p", { class: "told" }, `This selection cannot be made again: ${about.whyNot}.`),
    );
  }

  /**
   * @param {string} name
   * @param {number} least
   * @param {number} most
   * @param {number} step
   * @param {number} value
   * @param {(value: number) => void} set
   */
  slider(name, least, most, step, value, set) {
    const id = `slider-${name}`;
    const shown = el("input", { type: "number", class: "slider-value", step: "any", "aria-label": `${name}, as a number`, value });
    const range = el("input", { type: "range", id, min: least, max: most, step, value });
    const take = (/** @type {string} */ text) => {
      if (text === "" || !Number.isFinite(Number(text))) return;
      set(Number(text));
      this.select();
    };
    range.addEventListener("input", () => { shown.value = range.value; take(range.value); });
    shown.addEventListener("change", () => { range.value = shown.value; take(shown.value); });
    return el("div", { class: "slider" }, el("label", { for: id }, name), range, shown);
  }

  /** @param {string[]} names */
  scales(names) {
    const choice = el(
      "select", { id: "whatif-scale", onchange: (/** @type {any} */ event) => { this.scale = event.target.value; this.select(); } },
      names.map((name) => el("option", { value: name }, name)),
    );
    choice.value = this.scale;
    return el("div", { class: "slider" }, el("label", { for: "whatif-scale" }, "scale"), choice);
  }

  saving() {
    if (!hasToken()) return null;
    const name = el("input", { type: "text", id: "whatif-name", placeholder: "name" });
    const save = async () => {
      try {
        const made = await store("/api/selections", { name: name.value, whatif: this.query() });
        this.told.textContent = `Stored as selection ${made.selection}${made.name ? ` (${made.name})` : ""}.`;
        this.stored();
      } catch (error) {
        this.told.textContent = String(/** @type {Error} */ (error).message);
      }
    };
    return el(
      "div", { class: "slider" }, el("label", { for: "whatif-name" }, "store as"), name,
      el("button", { type: "button", onclick: save }, "Store"),
    );
  }

  reset() {
    const { about, columns } = this.selection.values;
    this.weights.clear();
    this.size = about.size;
    this.scale = about.scale || "paper";
    for (const input of this.controls.querySelectorAll("input[type=range]")) {
      const name = input.id.replace("slider-", "");
      const column = columns.find((/** @type {any} */ one) => one.name === name);
      input.value = name === "size" ? about.size : String(column?.weight || 0);
      input.nextElementSibling.value = input.value;
    }
    this.controls.querySelector("#whatif-scale").value = this.scale;
    this.result.replaceChildren();
    this.told.textContent = "";
  }

  query() {
    /** @type {Record<string, string | number>} */
    const query = { size: this.size, scale: this.scale, selection: this.selection.values.about.selection };
    for (const [name, weight] of this.weights) query[`weight.${name}`] = weight;
    return query;
  }

  /** Select again; while the server works, only the newest wish waits. */
  async select() {
    if (this.waiting) {
      this.again = true;
      return;
    }
    this.waiting = true;
    try {
      this.show(await ask("/api/whatif", { ...this.query(), limit: SHOWN }));
    } catch (error) {
      this.told.textContent = String(/** @type {Error} */ (error).message);
    } finally {
      this.waiting = false;
      if (this.again) {
        this.again = false;
        this.select();
      }
    }
  }

  /** @param {any} answer */
  show(answer) {
    this.told.textContent =
      `${counted(answer.size, "sample")}: ${whole(answer.entered)} would enter, ${whole(answer.left)} would leave.`;
    const list = (/** @type {any[]} */ cards) => {
      cards.forEach((one) => this.selection.keep(one));
      const rows = cards.map((one) => one.row);
      return rows.map((row) => card(this.selection, row, undefined, (place) => this.open(place, rows)));
    };
    const part = (/** @type {string} */ title, /** @type {number} */ total, /** @type {any[]} */ cards) =>
      el(
        "div", { class: "whatif-part" },
        el("h3", {}, `${title} ${whole(total)}${total > cards.length ? `, ${cards.length} shown` : ""}`),
        el("div", { class: "strip" }, list(cards)),
      );
    const groups = answer.groups.length > 1
      ? table(null, ["kind", "now", "then", "change"], answer.groups.map((/** @type {any[]} */ [name, now, then]) =>
          [name, whole(now), whole(then), then === now ? "0" : `${then > now ? "+" : ""}${number(then - now)}`]))
      : null;
    this.result.replaceChildren(
      ...[part("Enters", answer.entered, answer.enteredCards), part("Leaves", answer.left, answer.leftCards), groups].filter((one) => one !== null),
    );
  }
}
