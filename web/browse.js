/** The live database in a browser: filters, gallery, map, what-if, SQL; its state is the address. */

import { card } from "./card.js";
import { sqlConsole } from "./console.js";
import { DensityMap } from "./density.js";
import { Detail } from "./detail.js";
import { byId, el } from "./dom.js";
import { Facet } from "./facets.js";
import { counted, number, percent, whole } from "./format.js";
import { Grid } from "./grid.js";
import { hasToken, ask, RemoteList, RemoteSelection, store, takeToken } from "./remote.js";
import { Sliders } from "./sliders.js";
import { filterQuery, fromAddress, START, toAddress } from "./state.js";
import { themeButton } from "./theme.js";

/** @typedef {import("./state.js").State} State */

const CARD_HEIGHT = 268;
const PAUSE = 150;
const TABS = [["gallery", "Gallery"], ["map", "Map"], ["whatif", "What if"], ["sql", "SQL"]];

/** The page: one selection, and what of it is looked at. */
class Browser {
  /** @param {any} values what the server says of the selection */
  constructor(values) {
    /** @type {State} */
    this.state = fromAddress(location.search);
    this.values = values;
    /** @type {Record<string, HTMLElement>} */
    this.panes = {};
    /** @type {Record<string, any>} */
    this.choices = {};
    /** @type {Map<string, HTMLElement>} */
    this.tabButtons = new Map();
    this.filtered = "";
    this.selection = new RemoteSelection(values);
    this.detail = new Detail(this.selection, (row) => this.more(row));
    this.list = new RemoteList(this.selection, filterQuery(this.state), () => {});
    this.grid = new Grid("Samples", CARD_HEIGHT, (index) => this.card(index));
    this.told = el("p", { class: "told", role: "status", "aria-live": "polite" });
    this.facets = new Map(
      ["final", ...values.columns.map((/** @type {any} */ one) => one.name)].map((name) => [
        name, new Facet(name, (range) => this.limit(name, range)),
      ]),
    );
    this.sliders = new Sliders(
      this.selection, values.scales, (row, rows) => this.detail.open(row, rows), () => this.reload(),
    );
    this.map = new DensityMap(
      this.selection, () => this.filterOfMap(), (row) => this.detail.open(row, [row]), (box) => this.region(box),
    );
    this.detail.node.addEventListener("close", () => this.set({ open: "" }, false));
  }

  start() {
    byId("top").replaceChildren(this.heading());
    this.panes = {
      gallery: el("section", { id: "samples", "aria-label": "Gallery" }, this.told, this.grid.node),
      map: el("section", { id: "map", "aria-label": "Map" }, this.map.node),
      whatif: this.sliders.node,
      sql: sqlConsole(),
    };
    byId("main").replaceChildren(
      el("div", { class: "columns" }, this.filters(), el("div", { class: "panes" }, Object.values(this.panes))),
    );
    document.body.append(this.detail.node);
    addEventListener("keydown", (event) => this.shortcut(event));
    addEventListener("popstate", () => {
      this.state = fromAddress(location.search);
      this.fill();
      this.apply();
    });
    this.fill();
    this.apply();
    if (this.state.open) this.detail.open(Number(this.state.open), [Number(this.state.open)]);
    document.documentElement.dataset.ready = "yes";
  }

  heading() {
    const { about, selections } = this.values;
    const choice = el(
      "select", { id: "selection", "aria-label": "Selection", onchange: (/** @type {any} */ event) => this.change(event.target.value) },
      selections.map((/** @type {any} */ one) =>
        el("option", { value: one.id }, `${one.name ? `${one.name} (${one.id})` : one.id}: ${whole(one.size)} by ${one.selector}, ${one.created}`)),
    );
    choice.value = String(about.selection);
    return el(
      "div", {},
      el(
        "div", { class: "brand" }, el("span", { class: "mark" }, "ig4"), choice,
        el(
          "span", { class: "tools" },
          el("button", { type: "button", class: "quiet", onclick: () => this.reload(), title: "Read the database anew" }, "Reload"),
          themeButton(() => this.map.draw()),
        ),
      ),
      el("h1", { dir: "auto" }, `${whole(about.size)} of ${whole(about.samples)} samples of ${about.dataset}`),
      this.tabs(),
    );
  }

  tabs() {
    this.tabButtons = new Map(TABS.map(([name, text]) => [
      name,
      el("button", { type: "button", class: "tab", onclick: () => this.set({ tab: name }) }, text),
    ]));
    return el("nav", { id: "nav", "aria-label": "Views" }, [...this.tabButtons.values()]);
  }

  /** @param {string} selection */
  change(selection) {
    location.search = toAddress({ ...START, selection, tab: this.state.tab });
  }

  async reload() {
    await ask("/api/about", { selection: this.state.selection, fresh: 1 });
    location.reload();
  }

  filters() {
    this.search = el("input", { type: "search", id: "search", placeholder: "words in texts and ids" });
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.set({ q: this.search.value }), PAUSE);
    });
    const { values } = this;
    const named = (/** @type {any[]} */ list) => list.map((one, n) => [String(n), `${one.name} (${whole(one.count)})`]);
    this.choices = {
      view: this.choice("view", "Show", [["selected", "selected"], ["rest", "not selected"], ["all", "all"]]),
      group: this.choice("group", "Kind", [["", "all kinds"], ...named(values.groups || [])]),
      cluster: this.choice("cluster", "Cluster", [["", "all clusters"], ...values.clusters.map((/** @type {any} */ one) => [String(one.label), `cluster ${one.label} (${whole(one.size)})`])]),
      fate: this.choice("fate", "What became of it", [["", "anything"], ...named(values.fates)]),
      sort: this.choice("sort", "Sort by", [
        ["", "as they stand"], ["rank", "rank"], ["final", "final score"], ["row", "data set"],
        ...values.columns.map((/** @type {any} */ one) => [`by:${one.name}`, one.name]),
      ]),
    };
    this.down = el("input", { type: "checkbox", id: "down", onchange: () => this.set({ down: this.down.checked ? "1" : "" }) });
    const wide = matchMedia("(min-width: 821px)"); // the width of the style sheet
    const fold = el("details", { open: wide.matches }, el("summary", {}, "Filters"), el(
      "div", { class: "fold" },
      labelled("Search", "search", this.search),
      Object.entries(this.choices).map(([name, one]) => labelled(one.dataset.label, `choice-${name}`, one)),
      el("label", { class: "check" }, this.down, " downwards"),
      el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear"),
      this.storing(),
      el("h2", { class: "small" }, "Scores"),
      [...this.facets.values()].map((one) => one.node),
    ));
    wide.addEventListener("change", () => { fold.open = wide.matches; });
    return el("aside", { class: "filters", "aria-label": "Filters" }, fold);
  }

  /**
   * @param {string} name
   * @param {string} label
   * @param {string[][]} entries
   */
  choice(name, label, entries) {
    return el(
      "select", { id: `choice-${name}`, "data-label": label, onchange: (/** @type {any} */ event) => this.set({ [name]: event.target.value }) },
      entries.map(([value, text]) => el("option", { value }, text)),
    );
  }

  /** What stores the samples in sight as a selection. */
  storing() {
    if (!hasToken()) return null;
    const name = el("input", { type: "text", id: "store-name", placeholder: "name of a selection" });
    const save = async () => {
      try {
        const made = await store("/api/selections", { name: name.value, filter: filterQuery(this.state) });
        this.told.textContent = `Stored as selection ${made.selection}${made.name ? ` (${made.name})` : ""}.`;
      } catch (error) {
        this.told.textContent = String(/** @type {Error} */ (error).message);
      }
    };
    return el(
      "div", { class: "control" }, el("label", { for: "store-name" }, "Store these samples as"), name,
      el("button", { type: "button", onclick: save }, "Store"),
    );
  }

  clear() {
    this.map.box = null;
    this.set({ ...START, selection: this.state.selection, tab: this.state.tab });
    this.fill();
  }

  fill() {
    this.search.value = this.state.q;
    this.down.checked = this.state.down === "1";
    for (const [name, one] of Object.entries(this.choices)) {
      one.value = /** @type {any} */ (this.state)[name];
      if (one.selectedIndex < 0) one.selectedIndex = 0;
    }
    const { x, y } = this.state.ranges;
    this.map.box = x && y ? [x[0], y[0], x[1], y[1]] : null;
  }

  /**
   * @param {string} name
   * @param {[number, number] | null} range
   */
  limit(name, range) {
    const others = Object.entries(this.state.ranges).filter(([one]) => one !== name);
    this.set({ ranges: Object.fromEntries(range ? [...others, [name, range]] : others) });
  }

  /** @param {number[] | null} box */
  region(box) {
    const ranges = { ...this.state.ranges };
    delete ranges.x;
    delete ranges.y;
    if (box) {
      ranges.x = [box[0], box[2]];
      ranges.y = [box[1], box[3]];
    }
    this.set({ ranges });
  }

  /** The map shows all that the other filters leave, and the region on it. */
  filterOfMap() {
    const ranges = { ...this.state.ranges };
    delete ranges.x;
    delete ranges.y;
    const view = this.state.view === "selected" ? "all" : this.state.view;
    return filterQuery({ ...this.state, view, ranges });
  }

  /**
   * @param {Partial<State>} change
   * @param {boolean} [look]
   */
  set(change, look = true) {
    this.state = { ...this.state, ...change };
    history.replaceState(null, "", toAddress(this.state));
    if (look) this.apply();
  }

  apply() {
    for (const [name, pane] of Object.entries(this.panes)) pane.hidden = name !== this.state.tab;
    for (const [name, button] of this.tabButtons) button.setAttribute("aria-pressed", String(name === this.state.tab));
    this.refilter();
    if (this.state.tab === "map") this.map.load();
    if (this.state.tab === "gallery") this.grid.draw();
  }

  async refilter() {
    const query = filterQuery(this.state);
    const key = JSON.stringify(query);
    if (key === this.filtered) return;
    this.filtered = key;
    this.list.leave();
    const list = new RemoteList(this.selection, query, (first, last) => {
      if (list === this.list) this.grid.refresh(first, last);
    });
    this.list = list;
    try {
      await list.page(0);
      if (list !== this.list) return;
      this.grid.show(list.total);
      this.told.textContent = list.total
        ? `${counted(list.total, "sample")}. Arrows move, Enter opens, / searches.`
        : "No sample is like this: clear a filter.";
      const bins = await ask("/api/histograms", query);
      if (list !== this.list) return;
      for (const [name, facet] of this.facets) {
        const { ranges } = this.state; // "__proto__" is a name, too
        facet.node.hidden = !Object.hasOwn(bins, name);
        if (!facet.node.hidden) facet.show(bins[name], Object.hasOwn(ranges, name) ? ranges[name] : null);
      }
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      if (name !== "AbortError") this.told.textContent = message;
    }
  }

  /** @param {number} index */
  card(index) {
    const row = this.list.rows[index];
    if (row === undefined) {
      this.list.at(index).catch(() => {});
      return el("button", { type: "button", class: "card waiting", "aria-label": `Sample ${index + 1}` });
    }
    return card(this.selection, row, undefined, () => {
      this.set({ open: String(row) }, false);
      this.detail.open(row, this.list, index);
    });
  }

  /**
   * What else there is to say of a sample: whole texts, place, neighbours.
   * @param {number} row
   * @returns {Promise<HTMLElement[]>}
   */
  async more(row) {
    const told = await ask(`/api/sample/${row}`, { selection: this.values.about.selection });
    this.selection.keep(told);
    const errors = Object.entries(told.errors).map(([name, why]) => el("li", { dir: "auto" }, `${name}: ${why}`));
    const files = told.images.map((/** @type {any} */ one) =>
      el("li", { dir: "auto" }, `${one.name}${one.width ? `, ${one.width} × ${one.height}` : ""}${one.problem ? `: ${one.problem}` : ""}`));
    return [
      errors.length ? el("div", {}, el("h3", {}, "Failures"), el("ul", {}, errors)) : null,
      told.place ? this.place(told) : null,
      this.strip("Nearest neighbours", told.neighbours, (/** @type {any} */ one) => `cosine ${number(one.similarity)}`),
      files.length ? el("div", {}, el("h3", {}, "Images"), el("ul", {}, files)) : null,
      this.pins(row, told.pin),
    ].filter((one) => one !== null);
  }

  /** @param {any} told */
  place(told) {
    const share = percent(told.place / told.members);
    const text = `Place ${whole(told.place)} of ${whole(told.members)} (the best ${share}), ${whole(told.taken)} of which are taken.`;
    return el("div", {}, el("h3", {}, "Place"), el("p", {}, text), this.strip(null, told.around, (/** @type {any} */ one) => `F ${number(one.final)}`));
  }

  /**
   * @param {string | null} title
   * @param {any[]} cards
   * @param {(one: any) => string} caption
   */
  strip(title, cards, caption) {
    if (!cards.length) return null;
    cards.forEach((one) => this.selection.keep(one));
    const rows = cards.map((one) => one.row);
    return el(
      "div", {}, title && el("h3", {}, title),
      el("div", { class: "strip" }, cards.map((one) => card(this.selection, one.row, caption(one), (row) => this.detail.open(row, rows)))),
    );
  }

  /**
   * @param {number} row
   * @param {{pin: string, note: string | null} | null} known
   */
  pins(row, known) {
    const said = known ? `${known.pin === "keep" ? "always kept" : "never kept"}${known.note ? `: ${known.note}` : ""}` : "";
    if (!hasToken()) return known ? el("div", {}, el("h3", {}, "Pin"), el("p", { dir: "auto" }, said)) : null;
    const note = el("input", { type: "text", id: "pin-note", placeholder: "note", value: known?.note || "" });
    const told = el("span", { class: "told", role: "status", dir: "auto" }, said);
    const pin = (/** @type {string} */ what) => async () => {
      try {
        await store("/api/pins", { selection: this.values.about.selection, row, pin: what, note: note.value });
        told.textContent = what === "none" ? "no pin" : `stored: ${what}`;
      } catch (error) {
        told.textContent = String(/** @type {Error} */ (error).message);
      }
    };
    return el(
      "div", { class: "pins" }, el("h3", {}, "Pin"), el("label", { for: "pin-note" }, "Note"), note,
      el("button", { type: "button", onclick: pin("keep") }, "Always keep"),
      el("button", { type: "button", onclick: pin("drop") }, "Never keep"),
      el("button", { type: "button", onclick: pin("none") }, "Neither"), told,
    );
  }

  /** @param {KeyboardEvent} event */
  shortcut(event) {
    const { target } = event;
    const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key !== "/") return;
    event.preventDefault();
    this.search.closest("details").open = true;
    this.search.focus();
  }
}

/**
 * @param {string | undefined} text
 * @param {string} id
 * @param {HTMLElement} control
 */
function labelled(text, id, control) {
  return el("div", { class: "control" }, el("label", { for: id }, text), control);
}

async function start() {
  takeToken();
  const { selection } = fromAddress(location.search);
  try {
    new Browser(await ask("/api/about", selection ? { selection } : {})).start();
  } catch (error) {
    byId("top").replaceChildren(el("p", { class: "warning", role: "alert" }, String(/** @type {Error} */ (error).message)));
  }
}

start();
