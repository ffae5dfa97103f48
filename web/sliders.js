/** What if: sliders for weights and size, a choice of scale, and what would enter and leave. */

import { card } from "./card.js";
import { el, table } from "./dom.js";
import { counted, message, number, whole } from "./format.js";
import { ask } from "./remote.js";
import { AS_IT_IS, changesNothing, whatifQuery } from "./state.js";

/**
 * @typedef {import("./remote.js").RemoteSelection} RemoteSelection
 * @typedef {import("./remote.js").Card} Card
 * @typedef {import("./state.js").WhatIf} WhatIf
 * @typedef {Card & {then: {final: number | null, rank: number, line: number | null}}} CardThen
 */

const SHOWN = 24;
const STEP = 0.01;

/** The panel that selects again while one moves a slider. */
export class Sliders {
  /**
   * @param {RemoteSelection} selection
   * @param {string[]} scales
   * @param {(place: number, list: number[]) => void} open
   * @param {(wanted: WhatIf) => void} changed
   * @param {HTMLElement | null} storing what stores the result
   */
  constructor(selection, scales, open, changed, storing) {
    this.selection = selection;
    this.open = open;
    this.changed = changed;
    /** @type {WhatIf} */
    this.wanted = AS_IT_IS;
    this.waiting = false;
    this.again = false;
    /** @type {Map<string, {range: any, shown: any, own: number}>} */
    this.inputs = new Map();
    this.told = el("p", { class: "told", role: "status", "aria-live": "polite" });
    this.result = el("div", { class: "whatif-result" });
    const { about, columns } = selection.values;
    const usable = columns.filter((/** @type {any} */ one) => one.canCount);
    const controls = el(
      "form", { class: "whatif-controls", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      this.slider("size", 1, Math.max(1, about.competing), 1, about.size, (size) => this.take({ size })),
      usable.map((/** @type {any} */ one) => {
        const weight = one.weight || 0;
        const least = Math.min(0, Math.floor(weight / STEP) * STEP);
        return this.slider(
          one.name, Number(least.toFixed(2)), Math.max(1, 2 * weight), STEP, weight,
          (text) => this.take({ weights: { ...this.wanted.weights, [one.name]: text } }),
        );
      }),
      this.scales(scales),
      el("button", { type: "button", class: "quiet", onclick: () => this.reset() }, "As it is"),
      storing,
    );
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
   * @param {number} own what the selection has
   * @param {(text: string) => void} set
   */
  slider(name, least, most, step, own, set) {
    const id = `slider-${name}`;
    const shown = el("input", { type: "number", class: "slider-value", step: "any", "aria-label": `${name}, as a number` });
    const range = el("input", { type: "range", id, min: least, max: most, step });
    const take = (/** @type {string} */ text) => {
      if (text !== "" && Number.isFinite(Number(text))) set(text);
    };
    range.addEventListener("input", () => { shown.value = range.value; take(range.value); });
    shown.addEventListener("change", () => { range.value = shown.value; take(shown.value); });
    this.inputs.set(name === "size" ? "" : name, { range, shown, own });
    return el("div", { class: "slider" }, el("label", { for: id, title: name }, name), range, shown);
  }

  /** @param {string[]} names */
  scales(names) {
    this.choice = el(
      "select", { id: "whatif-scale", onchange: () => this.take({ scale: this.choice.value }) },
      names.map((name) => el("option", { value: name }, name)),
    );
    return el("div", { class: "slider" }, el("label", { for: "whatif-scale" }, "scale"), this.choice);
  }

  /**
   * Move the sliders to where an address has them.
   * @param {WhatIf} wanted
   */
  fill({ size, scale, weights }) {
    this.wanted = { size, scale, weights };
    for (const [name, { range, shown, own }] of this.inputs) {
      const given = name === "" ? size : Object.hasOwn(weights, name) ? weights[name] : "";
      range.value = given || own;
      shown.value = given || String(Number(own.toPrecision(4)));
    }
    this.choice.value = scale || this.selection.values.about.scale || "paper";
    if (changesNothing(this.wanted)) {
      this.result.replaceChildren();
      this.told.textContent = "";
    } else if (this.selection.values.about.canSelect) this.select();
  }

  /** @param {Partial<WhatIf>} change */
  take(change) {
    this.wanted = { ...this.wanted, ...change };
    this.changed(this.wanted);
    this.select();
  }

  reset() {
    this.fill(AS_IT_IS);
    this.changed(AS_IT_IS);
  }

  /** What the server has to know. */
  query() {
    return { ...whatifQuery(this.wanted), selection: String(this.selection.values.about.selection) };
  }

  /** Select again; while the server works, only the newest wish waits. */
  async select() {
    if (this.waiting) {
      this.again = true;
      return;
    }
    this.waiting = true;
    const { wanted } = this;
    try {
      const answer = await ask("/api/whatif", { ...this.query(), limit: SHOWN });
      if (!changesNothing(this.wanted) || this.wanted === wanted) this.show(answer);
    } catch (error) {
      this.result.replaceChildren();
      this.told.textContent = message(error);
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
    const { line } = this.selection.values.about;
    const moved = line === null || answer.line === null
      ? "" : line === answer.line ? ` The line stays at ${number(line)}.` : ` The line moves from ${number(line)} to ${number(answer.line)}.`;
    this.told.textContent =
      `${counted(answer.size, "sample")}: ${whole(answer.entered)} would enter, ${whole(answer.left)} would leave.${moved}`;
    const list = (/** @type {CardThen[]} */ cards) => {
      cards.forEach((one) => this.selection.keep(one));
      const rows = cards.map((one) => one.row);
      return cards.map((one) => card(this.selection, one.row, then(one), (place) => this.open(place, rows), false));
    };
    const part = (/** @type {string} */ title, /** @type {number} */ total, /** @type {CardThen[]} */ cards) =>
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

/**
 * What a sample would be: its final score from now to then, its rank, and how far from the line.
 * @param {CardThen} one
 */
function then(one) {
  const { final, rank, line } = one.then;
  const gap = final === null || line === null ? null : final - line;
  const parts = [
    final === null ? null : `F ${number(one.final)} → ${number(final)}`,
    rank ? `rank ${whole(rank)}` : null,
    gap === null ? null : `${beside(gap, /** @type {number} */ (line))} the line at ${number(line)}`,
  ];
  return parts.filter((part) => part !== null).join(", ");
}

/**
 * @param {number} gap
 * @param {number} line
 */
function beside(gap, line) {
  if (Math.abs(gap) <= 1e-5 * Math.abs(line)) return "on"; // the cards have six digits
  return `${number(Number(Math.abs(gap).toPrecision(3)))} ${gap > 0 ? "above" : "below"}`;
}
