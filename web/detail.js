/** One sample, whole: its pictures, its conversation, its scores, and why it is in or out. */

import { badge, picture } from "./card.js";
import { el, table } from "./dom.js";
import { counted, message, number } from "./format.js";
import { isOwnKey, scrollsAside } from "./keys.js";
import { waterfall } from "./waterfall.js";

/** @typedef {import("./data.js").Selection} Selection */

/**
 * Samples that one can walk through: an array, or something that looks them up.
 * @typedef {{length: number, at: (index: number) => number | undefined | Promise<number>}} Walk
 */

/** The dialog that shows samples, of a list that one can walk through. */
export class Detail {
  /**
   * @param {Selection} selection
   * @param {(place: number) => Promise<HTMLElement[]>} [more] what else is to be said of a sample
   * @param {(place: number) => void} [shown] is told which sample is on show
   */
  constructor(selection, more, shown) {
    this.selection = selection;
    this.more = more;
    this.shown = shown;
    this.asked = 0;
    /** @type {Walk} */
    this.list = [];
    this.at = 0;
    this.body = el("div", { class: "detail" });
    this.position = el("span", { class: "position", "aria-live": "polite" });
    this.node = el(
      "dialog", { class: "sheet", "aria-labelledby": "detail-id", onkeydown: this.key.bind(this) },
      el(
        "div", { class: "sheet-bar" },
        el("button", { type: "button", onclick: () => this.step(-1) }, "← Previous"),
        el("button", { type: "button", onclick: () => this.step(1) }, "Next →"),
        this.position,
        el("button", { type: "button", class: "close", onclick: () => this.node.close() }, "Close"),
      ),
      this.body,
    );
    this.node.addEventListener("close", () => { this.asked += 1; });
    this.node.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (event.target === this.node) this.node.close();
    });
  }

  /**
   * @param {number} place
   * @param {Walk} list the samples that one can walk to from here
   * @param {number} [at] where in the list it is
   */
  open(place, list, at) {
    this.list = list;
    this.at = at ?? (Array.isArray(list) ? Math.max(0, list.indexOf(place)) : 0);
    this.show();
    if (!this.node.open) this.node.showModal();
  }

  /** @param {number} by */
  step(by) {
    const next = this.at + by;
    if (next < 0 || next >= this.list.length) return;
    this.at = next;
    this.show();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!isOwnKey(event)) return;
    if (scrollsAside(event) && event.key.startsWith("Arrow")) return;
    if (event.key === "ArrowLeft" || event.key === "k") this.step(-1);
    else if (event.key === "ArrowRight" || event.key === "j") this.step(1);
    else return;
    event.preventDefault();
  }

  async show() {
    this.asked += 1;
    const asked = this.asked; // somebody may go on, or close, meanwhile
    this.position.textContent = `${this.at + 1} of ${counted(this.list.length, "sample")}`;
    try {
      const place = /** @type {number} */ (await this.list.at(this.at));
      if (asked !== this.asked) return;
      this.shown?.(place);
      const further = this.more ? await this.more(place) : [];
      if (asked !== this.asked) return;
      this.body.replaceChildren(...sampleParts(this.selection, place), ...further);
    } catch (error) {
      if (asked !== this.asked) return;
      this.body.replaceChildren(...this.trouble(error));
    }
    this.body.scrollTop = 0;
  }

  /**
   * What is shown in place of a sample that cannot be had.
   * @param {unknown} error
   */
  trouble(error) {
    return [
      el("h2", { id: "detail-id" }, "This sample cannot be shown"),
      el("p", { class: "warning", role: "alert", dir: "auto" }, message(error)),
      el("button", { type: "button", onclick: () => this.show() }, "Try again"),
    ];
  }
}

/**
 * @param {Selection} selection
 * @param {number} place
 * @returns {HTMLElement[]}
 */
function sampleParts(selection, place) {
  const { samples, values } = selection;
  const many = samples.images?.[place] || 0;
  const shown = samples.image[place];
  const pictures = (shown.length ? shown : [0]).map((_, n) => picture(selection, place, n, true));
  const group = selection.group(place);
  const cluster = samples.cluster?.[place] ?? -1;
  const facts = [
    badge(selection, place),
    group && el("span", { class: "fact", dir: "auto" }, group),
    cluster >= 0 && el("span", { class: "fact" }, `cluster ${cluster}`),
    el("span", { class: "fact" }, `row ${samples.row[place] + 1}`),
  ];
  const problem = samples.problem?.[place];
  return [
    el("h2", { id: "detail-id", dir: "auto" }, samples.id[place]),
    el("p", { class: "facts" }, facts),
    el("p", { class: "why", dir: "auto" }, selection.why(place)),
    problem && el("p", { class: "problem", dir: "auto" }, `Problem: ${problem}`),
    el("div", { class: "pictures" }, pictures),
    many > shown.length && shown.length
      ? el("p", { class: "told" }, `${counted(many - shown.length, "more image")} in the data set`)
      : null,
    values.about.texts ? conversation(selection, place) : null,
    scores(selection, place),
  ].filter(Boolean);
}

/**
 * @param {Selection} selection
 * @param {number} place
 */
function conversation(selection, place) {
  const { samples } = selection;
  const turns = samples.turns[place];
  const cut = samples.cut?.[place];
  return el(
    "div", { class: "conversation" },
    turns.length ? null : el("p", { class: "told" }, "There is no text."),
    turns.map(([role, text]) =>
      el(
        "div", { class: `turn ${["user", "assistant"].includes(role) ? role : "other"}` },
        el("span", { class: "role" }, role),
        el("p", { dir: "auto" }, text || "(empty)"),
      ),
    ),
    cut ? el("p", { class: "told" }, `${counted(cut, "more character")} in the database`) : null,
  );
}

/**
 * @param {Selection} selection
 * @param {number} place
 */
function scores(selection, place) {
  const { samples, values } = selection;
  const final = samples.final[place];
  const rows = values.columns.map((column, n) => {
    const percent = samples.percent[n][place];
    return [
      column.name,
      number(samples.raw[n][place]),
      meter(percent),
      column.weight === null ? "–" : number(column.weight),
      column.weight === null || percent === null ? "–" : number(column.weight * percent),
    ];
  });
  const parts = values.columns.flatMap((column, n) => {
    const percent = samples.percent[n][place];
    return column.weight === null || percent === null
      ? []
      : [{ name: column.name, points: column.weight * percent }];
  });
  const sum = parts.reduce((total, part) => total + part.points, 0);
  const adds = final !== null && parts.length > 0 && Math.abs(sum - final) < 1e-3 * Math.max(1, Math.abs(final));
  const line = values.about.ranksByFinal ? selection.line(samples.cluster?.[place]) : null;
  return el(
    "div", { class: "scores" },
    rows.length ? table("Scores", ["indicator", "value", "percent", "weight", "points"], rows) : null,
    adds ? waterfall(parts, /** @type {number} */ (final), line) : null,
    final !== null && !adds ? el("p", {}, `Final score ${number(final)}`) : null,
  );
}

/** @param {number | null} percent */
function meter(percent) {
  if (percent === null) return "–";
  const inner = el("span", { class: "meter-fill" });
  inner.style.width = `${Math.min(100, Math.max(0, percent))}%`;
  return el("span", { class: "meter" }, inner, el("span", { class: "meter-text" }, number(percent)));
}
