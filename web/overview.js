/** The parts of a page above and below the samples: the headline, the mix, clusters, how and what for. */

import { picture } from "./card.js";
import { figures } from "./charts.js";
import { commandBox, copyButton } from "./command.js";
import { inPairs, sum } from "./data.js";
import { el, section, table } from "./dom.js";
import { counted, number, percent, whole } from "./format.js";

/**
 * @typedef {import("./data.js").Selection} Selection
 * @typedef {import("./data.js").Chart} Chart
 */

/** Cards of a gallery that a page shows at once. */
const STRIP = 8;

/**
 * @param {Selection} selection
 * @param {HTMLElement[]} tools
 */
export function headline(selection, tools) {
  const { about, warnings } = selection.values;
  const share = about.samples ? about.size / about.samples : 0;
  return [
    el("div", { class: "brand" }, el("span", { class: "mark" }, "ig4"), el("span", { class: "tools" }, tools)),
    el(
      "h1", { dir: "auto" },
      `${whole(about.size)} of ${whole(about.samples)} samples of ${about.dataset}`,
    ),
    el(
      "p", { class: "lead", dir: "auto" },
      about.name ? `“${about.name}”, selection ${about.selection}` : `Selection ${about.selection}`,
      `: ${percent(share)} of the data, chosen by ${about.selector}. Made ${about.created}.`,
    ),
    about.command
      ? commandBox("Make it again:", about.command)
      : null,
    about.settings
      ? el(
        "details", { class: "command" },
        el("summary", {}, "with this in ", el("code", {}, about.settingsFile)),
        settingsText(about.settings),
      )
      : null,
    (about.alsoNeeds || []).map((/** @type {string} */ text) => el("p", { class: "warning", role: "note", dir: "auto" }, text)),
    warnings.map((text) => el("p", { class: "warning", role: "note", dir: "auto" }, text)),
  ].flat();
}

/** @param {string} text */
function settingsText(text) {
  const code = el("code", { dir: "auto" }, text);
  return [el("pre", {}, code), copyButton(text, code)];
}

/** @param {Selection} selection */
export function keyNumbers(selection) {
  const { about, composition, fates, galleries } = selection.values;
  const rejected = fates.slice(2).reduce((sum, fate) => sum + fate.count, 0);
  const repeated = galleries.find((one) => one.key === "duplicates")?.total || 0;
  const facts = [
    [whole(about.size), "selected"],
    [whole(about.samples - about.size), "not selected"],
    [whole(rejected), "left out by a rule or for want of a score"],
    composition && composition.groups.length > 1 ? [percent(composition.tv), `away from the mix of the data (random: ${percent(composition.random_tv)})`] : null,
    [whole(repeated), "repeat another selected one"],
  ].filter((fact) => fact !== null);
  return el(
    "dl", { class: "facts-row" },
    facts.map(([value, name]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

/** @param {Selection} selection */
export function notices(selection) {
  const told = selection.values.notices;
  if (!told.length) return null;
  return el(
    "details", { class: "notices", open: told.length < 4 },
    el("summary", {}, `What ig4 said of it (${told.length})`),
    el("ul", {}, told.map((text) => el("li", { dir: "auto" }, text))),
  );
}

/**
 * @param {Selection} selection
 * @param {Chart[]} charts
 */
export function mixSection(selection, charts) {
  const { composition } = selection.values;
  if (!composition) return null;
  if (composition.groups.length < 2) {
    const only = composition.groups[0]?.name || "one";
    return section("mix", "Kinds", `All samples are of one kind by ${composition.by} (${only}): there is no mix to leave.`);
  }
  const rows = composition.groups.map((/** @type {any} */ one) => [
    one.name, whole(one.pool), percent(one.pool_share), whole(one.selected), percent(one.selected_share),
  ]);
  const told =
    `Kinds of samples by ${composition.by}. The selection is ${percent(composition.tv)} away from the ` +
    `mix of the data (total variation); a random draw of its size is about ${percent(composition.random_tv)} away.`;
  const listed = table("Kinds of samples", ["kind", "samples", "share", "selected", "share"], rows);
  const drawn = figures(charts, "mix");
  return section(
    "mix", "Kinds", told, drawn,
    drawn.length ? el("details", {}, el("summary", {}, "As a table"), listed) : listed,
  );
}

/**
 * @param {Selection} selection
 * @param {Chart[]} charts
 */
export function scoresSection(selection, charts) {
  const { columns, about } = selection.values;
  if (!columns.length) return null;
  const rows = columns.map((one) => [
    one.name, whole(one.known), one.weight === null ? "–" : number(one.weight), percent(one.share),
  ]);
  const others = figures(charts, "others");
  const told = about.ranksByFinal
    ? "All samples beside the selected ones. What an indicator is worth is its weight times the spread of its percents."
    : "All samples beside the selected ones. The selector does not rank by the sum of the scores.";
  return section(
    "scores", "Scores", told,
    el("div", { class: "charts" }, figures(charts, "scores")),
    el("div", { class: "charts" }, figures(charts, "indicators")),
    others.length ? el("details", {}, el("summary", {}, `Indicators that do not count (${others.length})`), el("div", { class: "charts" }, others)) : null,
    el(
      "details", { open: !charts.length }, el("summary", {}, "As a table"),
      table("Indicators", ["indicator", "samples with it", "weight", "worth"], rows),
    ),
  );
}

/**
 * @param {Selection} selection
 * @param {Chart[]} charts
 * @param {(place: number, list: number[]) => void} open
 * @param {(cluster: number) => void} show
 */
export function clustersSection(selection, charts, open, show) {
  const { clusters, clustering, map } = selection.values;
  if (!clusters.length) return null;
  const pictured = (/** @type {number[]} */ list) =>
    list.map((place) =>
      el(
        "button",
        { type: "button", class: "thumb", "aria-label": `Sample ${selection.samples.id[place]}`, onclick: () => open(place, list) },
        picture(selection, place),
      ),
    );
  const rows = clusters.map((one) => [
    el("button", { type: "button", class: "link", onclick: () => show(one.label) }, String(one.label)),
    whole(one.size), whole(one.compared), whole(one.selected), number(one.mean), number(one.line),
    el("span", { class: "thumbs" }, pictured(one.typical)),
  ]);
  const titles = ["cluster", "samples", "compared", "selected", "mean F", "the line", "typical"];
  return section(
    "clusters", "Clusters", `By ${clustering}. Typical are the samples nearest to the middle of a cluster${map ? ` in ${map.space}` : ""}.`,
    figures(charts, "clusters"), table("Clusters", titles, rows),
  );
}

/**
 * Pairs of selected samples that repeat each other.
 * @param {Selection} selection
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 */
export function duplicatesSection(selection, make) {
  const gallery = selection.values.galleries.find(inPairs);
  if (!gallery) return null;
  const more = gallery.total - gallery.pairs.length;
  const told =
    `${sum(gallery)} of selected samples that say nearly the same, side by side.` +
    (more > 0 ? ` ${counted(more, "pair")} not shown.` : "");
  return section("duplicates", gallery.title, told, pairs(gallery, make, "pair alike"));
}

/**
 * @param {import("./data.js").Gallery} gallery
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 * @param {string} kind
 */
function pairs(gallery, make, kind) {
  const one = (/** @type {number[]} */ pair) => el("div", { class: kind }, pair.map((place) => make(gallery, place)));
  return el("div", { class: "pairs" }, gallery.pairs.map(one));
}

/**
 * Pairs of samples side by side: the last one taken and the first one not taken.
 * @param {Selection} selection
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 */
export function edgeSection(selection, make) {
  const gallery = selection.values.galleries.find((one) => one.key === "edge");
  if (!gallery) return null;
  const more = gallery.total / 2 - gallery.pairs.length;
  const told =
    "Where the line runs: on the left the last sample that was taken, on the right the first that was not." +
    (more > 0 ? ` ${counted(more, "more contest")} not shown.` : "");
  return section("edge", gallery.title, told, pairs(gallery, make, "pair"));
}

/**
 * Rows of samples, one for each of some galleries.
 * @param {import("./data.js").Gallery[]} galleries
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 * @param {(view: string) => void} show
 * @returns {HTMLElement[]}
 */
function strips(galleries, make, show) {
  return galleries.map((gallery) => {
    const more = gallery.rows.length > STRIP;
    return el(
      "div", { class: "strip-box" },
      el(
        "h3", { dir: "auto" }, `${gallery.title} `, el("span", { class: "count" }, sum(gallery)),
        more && el("button", { type: "button", class: "link", onclick: () => show(gallery.key) }, "see more"),
      ),
      el("div", { class: "strip", role: "group", "aria-label": gallery.title }, gallery.rows.slice(0, STRIP).map((place) => make(gallery, place))),
    );
  });
}

/**
 * The first selected samples, by rank.
 * @param {Selection} selection
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 * @param {(view: string) => void} show
 */
export function keptSection(selection, make, show) {
  const { samples, values } = selection;
  const rows = samples.rank.flatMap((rank, place) => (rank > 0 ? [place] : []));
  if (!rows.length) return null;
  rows.sort((one, other) => samples.rank[one] - samples.rank[other]);
  const title = values.about.ranksByFinal ? "Selected, best first" : "Selected";
  const gallery = { key: "selected", title, total: values.about.size, rows, captions: {}, pairs: [] };
  return section("kept", "Kept", null, strips([gallery], make, show));
}

/**
 * Samples that were left out, by the reason; and those that a scorer failed on.
 * @param {Selection} selection
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 * @param {(view: string) => void} show
 */
export function leftOutSection(selection, make, show) {
  const kinds = ["fate", "failed"];
  const found = selection.values.galleries.filter((one) => kinds.includes(one.key.split(":")[0]));
  if (!found.length) return null;
  const told = "Samples of each reason, drawn by the seed of the selection where there are many.";
  return section("left-out", "Left out, and why", told, strips(found, make, show));
}

/**
 * The best and the worst samples of each indicator.
 * @param {Selection} selection
 * @param {(gallery: import("./data.js").Gallery, place: number) => HTMLElement} make
 * @param {(view: string) => void} show
 */
export function extremesSection(selection, make, show) {
  const counting = new Set(selection.values.columns.filter((one) => one.weight !== null).map((one) => one.name));
  const all = selection.values.galleries.filter((one) => /^(best|worst):/.test(one.key));
  const counts = (/** @type {import("./data.js").Gallery} */ one) => counting.has(one.key.replace(/^\w+:/, ""));
  const first = counting.size ? all.filter(counts) : all;
  const rest = counting.size ? all.filter((one) => !counts(one)) : [];
  if (!all.length) return null;
  return section(
    "extremes", "Best and worst", "What each indicator likes most, and least, of all samples: see whether you agree.",
    strips(first, make, show),
    rest.length
      ? el("details", {}, el("summary", {}, `Indicators that do not count (${rest.length / 2})`), strips(rest, make, show))
      : null,
  );
}

/**
 * @param {Selection} selection
 * @param {Chart[]} charts
 */
export function outcomesSection(selection, charts) {
  const { outcomes } = selection.values;
  const drawn = figures(charts, "outcomes");
  if (!outcomes.length && !drawn.length) return null;
  return section(
    "outcomes", "What came of it", null, el("div", { class: "charts" }, drawn),
    outcomes.map((one) => table(one.title, one.columns, one.rows)),
  );
}

/**
 * @param {Selection} selection
 * @param {Chart[]} charts
 */
export function makingSection(selection, charts) {
  const { stages, fates, costs, config } = selection.values;
  const steps = stages.map((/** @type {any} */ one, n) => [
    n + 1, one.do, whole(one.before), whole(one.before - one.after), whole(one.after),
  ]);
  const became = fates.filter((one) => one.count).map((one) => [one.name, whole(one.count)]);
  return section(
    "making", "How it was made", null,
    figures(charts, "stages"),
    table("What became of the samples", ["what", "samples"], became),
    steps.length ? table("Stages", ["stage", "does", "before", "left out", "after"], steps) : null,
    el("div", { class: "charts" }, figures(charts, "costs")),
    costs.map((one) => table(one.title, one.columns, one.rows)),
    el(
      "details", {}, el("summary", {}, "All settings"),
      el("pre", { tabindex: 0, dir: "auto" }, JSON.stringify(config, null, 2)),
    ),
  );
}

/** @param {Selection} selection */
export function footer(selection) {
  const { about } = selection.values;
  const parts = [`This page shows ${about.shown}.`];
  if (about.without) parts.push(`${counted(about.without, "image")} left out, to keep the page small.`);
  if (about.unreadable) parts.push(`${counted(about.unreadable, "image")} cannot be read any more.`);
  if (!about.texts) parts.push("Texts, images, ids and names of groups were left out (--redact).");
  else if (!about.images) parts.push("Images were left out (--no-images).");
  return el("p", {}, `${parts.join(" ")} Made by ig4 ${about.version}.`);
}
