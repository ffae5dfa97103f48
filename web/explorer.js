/** The gallery of all shown samples, with what filters and sorts it. */

import { card, CARD_HEIGHT } from "./card.js";
import { inPairs, sum } from "./data.js";
import { el, section } from "./dom.js";
import { counted, whole } from "./format.js";
import { Grid } from "./grid.js";
import { EVERYTHING, fromAddress, places, toAddress } from "./query.js";

/**
 * @typedef {import("./data.js").Selection} Selection
 * @typedef {import("./query.js").Query} Query
 */

/** The part of a page in which one looks through samples. */
export class Explorer {
  /**
   * @param {Selection} selection
   * @param {(place: number, list: number[]) => void} open
   */
  constructor(selection, open) {
    this.selection = selection;
    /** @type {Query} */
    this.query = fromAddress(location.hash);
    /** @type {number[]} */
    this.list = [];
    this.grid = new Grid("Samples", CARD_HEIGHT, (index) => this.card(index, open));
    this.told = el("p", { class: "told", role: "status", "aria-live": "polite" });
    this.controls = el("form", { class: "controls", role: "search", onsubmit: (/** @type {Event} */ event) => event.preventDefault() });
    this.fill();
    this.node = section("samples", "Samples", null, this.controls, this.told, this.grid.node);
    this.node.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "ArrowDown" || event.target !== this.search || event.isComposing) return;
      event.preventDefault();
      this.grid.focus(0);
    });
    this.apply();
  }

  /**
   * @param {number} index
   * @param {(place: number, list: number[]) => void} open
   */
  card(index, open) {
    const place = this.list[index];
    const gallery = this.selection.values.galleries.find((one) => one.key === this.query.view);
    return card(this.selection, place, gallery?.captions[place], (one) => open(one, this.list));
  }

  fill() {
    const { values } = this.selection;
    const named = (/** @type {import("./data.js").Named[]} */ list) =>
      list.map((one, n) => /** @type {[string, string]} */ ([String(n), `${one.name} (${whole(one.count)})`]));
    const clusters = values.clusters.map(
      (one) => /** @type {[string, string]} */ ([String(one.label), `cluster ${one.label} (${whole(one.size)})`]),
    );
    const orders = /** @type {[string, string][]} */ ([
      ["", "as they stand"], ["rank", "rank"], ["final", "final score"], ["row", "data set"],
      ...values.columns.map((one) => [`by:${one.name}`, one.name]),
    ]);
    this.search = el("input", {
      type: "search", id: "search", placeholder: "words in texts and ids", value: this.query.q,
      oninput: (/** @type {any} */ event) => this.set({ q: event.target.value }),
    });
    this.direction = el("input", {
      type: "checkbox", id: "down", onchange: (/** @type {any} */ event) => this.set({ down: event.target.checked }),
    });
    this.direction.checked = this.query.down;
    this.controls.replaceChildren(
      labelled("Search", "search", this.search),
      this.choice("view", "Show", this.views()),
      values.groups && values.groups.length > 1 ? this.choice("group", "Kind", [["", "all kinds"], ...named(values.groups)]) : "",
      clusters.length > 1 ? this.choice("cluster", "Cluster", [["", "all clusters"], ...clusters]) : "",
      this.choice("fate", "What became of it", [["", "anything"], ...named(values.fates)]),
      this.choice("sort", "Sort by", orders),
      el("label", { class: "check" }, this.direction, " downwards"),
      el("button", { type: "button", class: "quiet", onclick: () => this.reset() }, "Clear"),
    );
  }

  /** @returns {[string, string][]} */
  views() {
    const { galleries } = this.selection.values;
    return [
      ["selected", "selected"], ["rest", "not selected"], ["all", "all shown"],
      ...galleries.map((one) => /** @type {[string, string]} */ ([one.key, `${one.title} (${inPairs(one) ? sum(one) : whole(one.total)})`])),
    ];
  }

  /**
   * @param {"view" | "group" | "cluster" | "fate" | "sort"} name
   * @param {string} label
   * @param {[string, string][]} entries
   */
  choice(name, label, entries) {
    const select = el(
      "select", { id: `choice-${name}`, onchange: (/** @type {any} */ event) => this.set({ [name]: event.target.value }) },
      entries.map(([value, text]) => el("option", { value }, text)),
    );
    select.value = this.query[name];
    if (select.selectedIndex < 0) select.value = EVERYTHING[name];
    return labelled(label, select.id, select);
  }

  /** @param {Partial<Query>} change */
  set(change) {
    this.query = { ...this.query, ...change };
    this.apply();
    try {
      history.replaceState(null, "", toAddress(this.query));
    } catch {
      // In the frame of a notebook the page has no address of its own.
    }
  }

  /**
   * Show what the page's other parts lead to.
   * @param {Partial<Query>} query
   */
  go(query) {
    this.query = { ...EVERYTHING, ...query };
    this.fill();
    this.set({});
    this.node.scrollIntoView();
    this.search.focus({ preventScroll: true });
  }

  reset() {
    this.go({});
  }

  apply() {
    this.list = places(this.selection, this.query);
    const gallery = this.selection.values.galleries.find((one) => one.key === this.query.view);
    this.told.textContent = this.list.length
      ? `${this.many(gallery)}. Arrows move, Enter opens, / searches.`
      : "No sample is like this: clear a filter.";
    this.grid.show(this.list.length);
  }

  /**
   * How many samples are shown, and of how many where the page has not all of them.
   * @param {import("./data.js").Gallery | undefined} gallery
   */
  many(gallery) {
    const count = counted(this.list.length, "sample");
    if (!gallery) return count;
    const filtered = this.list.length < gallery.rows.length;
    const here = filtered ? ` of the ${whole(gallery.rows.length)} in this gallery` : "";
    if (inPairs(gallery)) return `${count}${here}: ${sum(gallery)}`;
    if (gallery.total <= gallery.rows.length) return `${count}${here}`;
    return filtered ? `${count}${here}, which shows ${whole(gallery.rows.length)} of ${whole(gallery.total)}` : `${count} of ${whole(gallery.total)}`;
  }
}

/**
 * @param {string} text
 * @param {string} id
 * @param {HTMLElement} control
 */
function labelled(text, id, control) {
  return el("div", { class: "control" }, el("label", { for: id }, text), control);
}
