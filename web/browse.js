/** The live database in a browser: filters, gallery, map, what-if, SQL; its state is the address. */

import { card, CARD_HEIGHT } from "./card.js";
import { sqlConsole } from "./console.js";
import { DensityMap } from "./density.js";
import { Detail } from "./detail.js";
import { byId, el } from "./dom.js";
import { Facet } from "./facets.js";
import { counted, message, number, percent, whole } from "./format.js";
import { Grid } from "./grid.js";
import { isOwnKey } from "./keys.js";
import { ask, hasToken, isAbort, RemoteList, RemoteSelection, store, takeToken } from "./remote.js";
import { Sliders } from "./sliders.js";
import { filterQuery, fromAddress, START, toAddress } from "./state.js";
import { StoreControl } from "./storing.js";
import { themeButton } from "./theme.js";

/** @typedef {import("./state.js").State} State */

const PAUSE = 150;
const TABS = [["gallery", "Gallery"], ["map", "Map"], ["whatif", "What if"], ["sql", "SQL"]];
/** The views that the filters at the side are about. */
const FILTERED = ["gallery", "map"];

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
    this.detail = new Detail(this.selection, (row) => this.more(row), (row) => this.set({ open: String(row) }, false));
    this.list = new RemoteList(this.selection, filterQuery(this.state), () => {});
    this.grid = new Grid("Samples", CARD_HEIGHT, (index) => this.card(index));
    this.told = el("p", { class: "told", role: "status", "aria-live": "polite" });
    this.trouble = el("p", { class: "warning", role: "alert", dir: "auto", hidden: true });
    const address = (/** @type {number} */ one) => toAddress({ ...START, selection: String(one) });
    this.storing = new StoreControl(
      "store-name", "Store these samples as", () => ({ filter: filterQuery(this.state) }), address, () => this.relist(),
    );
    const ofSliders = new StoreControl(
      "whatif-name", "Store this as", () => ({ whatif: this.sliders.query() }), address, () => this.relist(),
    );
    this.facets = new Map(
      ["final", ...values.columns.map((/** @type {any} */ one) => one.name)].map((name) => [
        name, new Facet(name, (range) => this.limit(name, range)),
      ]),
    );
    this.sliders = new Sliders(
      this.selection, values.scales, (row, rows) => this.detail.open(row, rows),
      (wanted) => this.set(wanted, false), ofSliders.node,
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
      this.trouble,
      el("div", { class: "columns" }, this.filters(), el("div", { class: "panes" }, Object.values(this.panes))),
    );
    document.body.append(this.detail.node);
    addEventListener("keydown", (event) => this.shortcut(event));
    addEventListener("popstate", () => {
      this.state = fromAddress(location.search);
      this.detail.node.close();
      this.look();
    });
    this.look();
    document.documentElement.dataset.ready = "yes";
  }

  /** Show what the address says. */
  look() {
    this.fill();
    this.sliders.fill(this.state);
    this.apply();
    const { open } = this.state;
    if (open) this.detail.open(Number(open), [Number(open)]);
  }

  heading() {
    const { about } = this.values;
    this.chooser = el("select", {
      id: "selection", "aria-label": "Selection", onchange: (/** @type {any} */ event) => this.change(event.target.value),
    });
    this.listed(this.values.selections);
    return el(
      "div", {},
      el(
        "div", { class: "brand" }, el("span", { class: "mark" }, "ig4"), this.chooser,
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

  /** @param {any[]} selections that one can choose from */
  listed(selections) {
    this.chooser.replaceChildren(...selections.map((one) =>
      el("option", { value: one.id }, `${one.name ? `${one.name} (${one.id})` : one.id}: ${whole(one.size)} by ${one.selector}, ${one.created}`)));
    this.chooser.value = String(this.values.about.selection);
  }

  /** List the selections anew: one more was stored, or one has another name. */
  async relist() {
    const { selection } = this.values.about;
    this.listed((await ask("/api/about", { selection })).selections);
  }

  async reload() {
    try {
      await ask("/api/about", { selection: this.state.selection, fresh: 1 });
      location.reload();
    } catch (error) {
      this.say(error);
    }
  }

  /**
   * Say what went wrong, whichever part of the page is on show; null takes it back.
   * @param {unknown} error
   */
  say(error) {
    if (isAbort(error)) return;
    this.trouble.hidden = error === null;
    this.trouble.textContent = error === null ? "" : message(error);
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
    const { sort, ...filters } = this.choices;
    /** What does nothing to a map. */
    this.order = el("div", { class: "order" }, labelled(sort, "choice-sort"), el("label", { class: "check" }, this.down, " downwards"));
    const wide = matchMedia("(min-width: 821px)"); // the width of the style sheet
    const fold = el("details", { open: wide.matches }, el("summary", {}, "Filters"), el(
      "div", { class: "fold" },
      el("div", { class: "control" }, el("label", { for: "search" }, "Search"), this.search),
      Object.entries(filters).map(([name, one]) => labelled(one, `choice-${name}`)),
      this.order,
      el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear"),
      this.storing.node,
      el("h2", { class: "small" }, "Scores"),
      [...this.facets.values()].map((one) => one.node),
    ));
    wide.addEventListener("change", () => { fold.open = wide.matches; });
    this.side = el("aside", { class: "filters", "aria-label": "Filters" }, fold);
    return this.side;
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

  clear() {
    const { selection, tab, size, scale, weights } = this.state;
    this.set({ ...START, selection, tab, size, scale, weights });
    this.fill();
    if (tab === "map") this.map.draw();
  }

  fill() {
    this.search.value = this.state.q;
    this.down.checked = this.state.down === "1";
    for (const [name, one] of Object.entries(this.choices)) {
      one.value = /** @type {any} */ (this.state)[name];
      if (one.selectedIndex < 0) one.selectedIndex = 0;
    }
    const { x, y } = this.state.ranges;
    const box = x && y ? [x[0], y[0], x[1], y[1]] : [NaN];
    this.map.box = box.every(Number.isFinite) ? box : null;
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
    const { tab } = this.state;
    for (const [name, pane] of Object.entries(this.panes)) pane.hidden = name !== tab;
    this.side.hidden = !FILTERED.includes(tab);
    this.order.hidden = tab === "map";
    for (const [name, button] of this.tabButtons) button.setAttribute("aria-pressed", String(name === tab));
    this.refilter();
    if (tab === "map") this.map.load();
    if (tab === "gallery") this.grid.draw();
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
      this.say(null);
      this.grid.show(list.total);
      this.storing.label.textContent = list.total ? `Store ${list.total === 1 ? "this sample" : `these ${counted(list.total, "sample")}`} as` : "Store these samples as";
      this.map.note.textContent = this.beyond(list.total);
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
      if (list !== this.list) return;
      this.filtered = ""; // the next look asks again
      this.grid.show(0);
      this.told.textContent = "";
      this.say(error);
    }
  }

  /**
   * What of the map the gallery has, and a selection would: a map shows what lies around it, too.
   * @param {number} total
   */
  beyond(total) {
    const { view, ranges } = this.state;
    const region = ranges.x && ranges.y ? " in the marked region" : "";
    if (view !== "selected" && !region) return "";
    const kind = { selected: " selected", rest: " not selected" }[view] || "";
    return `${view === "selected" ? "Others are drawn, too. " : ""}The gallery has the ${whole(total)}${kind}${region}.`;
  }

  /** @param {number} index */
  card(index) {
    const row = this.list.rows[index];
    if (row === undefined) {
      this.list.at(index).catch((/** @type {unknown} */ error) => this.say(error));
      return el("button", { type: "button", class: "card waiting", "aria-label": `Sample ${index + 1}` });
    }
    return card(this.selection, row, undefined, () => this.detail.open(row, this.list, index));
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
        told.textContent = message(error);
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
    if (event.key !== "/" || !isOwnKey(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.search.closest("details").open = true;
    this.search.focus();
  }
}

/**
 * @param {HTMLElement} control
 * @param {string} id
 */
function labelled(control, id) {
  return el("div", { class: "control" }, el("label", { for: id }, control.dataset.label), control);
}

async function start() {
  takeToken();
  const { selection } = fromAddress(location.search);
  try {
    new Browser(await ask("/api/about", selection ? { selection } : {})).start();
  } catch (error) {
    byId("top").replaceChildren(el("p", { class: "warning", role: "alert" }, message(error)));
  }
}

start();
