/** A page about two selections: what they share, and the samples that only one of them has. */

import { card, CARD_HEIGHT } from "./card.js";
import { drawRest, figures, redraw, setConfigs } from "./charts.js";
import { Selection, unpack } from "./data.js";
import { Detail } from "./detail.js";
import { byId, el, section, table } from "./dom.js";
import { counted, number, percent, whole } from "./format.js";
import { Grid } from "./grid.js";
import { themeButton } from "./theme.js";

/** Cards say why they are here, in up to four lines. */
const HEIGHT = CARD_HEIGHT + 30;

/** @param {any} side */
function named(side) {
  return side.name || side.label || `selection ${side.id}`;
}

/** @param {any} comparison */
function keyNumbers(comparison) {
  const { overlap } = comparison;
  const facts = [
    [whole(overlap.common), `in both: ${percent(overlap.share_a)} of A, ${percent(overlap.share_b)} of B`],
    [number(overlap.jaccard), "Jaccard: in both, by in either"],
    [number(overlap.expected), "two random draws would share"],
    [overlap.spearman === null ? "–" : number(overlap.spearman), "Spearman: do they order what both have alike"],
    [`+${whole(comparison.came_in)}`, "came in: in B alone"],
    [`−${whole(comparison.went_out)}`, "went out: in A alone"],
  ];
  return el("dl", { class: "facts-row" }, facts.map(([value, name]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** @param {any} comparison */
function settings(comparison) {
  const rows = comparison.settings.map((/** @type {any} */ one) => [one.key, said(one.a), said(one.b)]);
  return section(
    "settings", "Settings that differ", rows.length ? null : "None: what differs are the data, or their scores.",
    rows.length ? table(null, ["setting", "A", "B"], rows) : null,
  );
}

/** @param {unknown} value */
function said(value) {
  if (value === null || value === undefined) return "–";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/**
 * @param {string} caption
 * @param {any} found
 */
function groups(caption, found) {
  if (!found?.groups?.length) return null;
  const rows = found.groups.map((/** @type {any} */ one) => [one.name, whole(one.pool), whole(one.a), whole(one.b), whole(one.both)]);
  return table(`${caption} by ${found.by}`, ["group", "data set", "A", "B", "both"], rows);
}

/**
 * @param {string} id
 * @param {string} title
 * @param {any} values
 * @param {number} total
 * @param {string[]} pictures
 */
function gallery(id, title, values, total, pictures) {
  const selection = new Selection(values, pictures);
  const detail = new Detail(selection);
  const { order, captions } = values;
  const grid = new Grid(title, HEIGHT, (index) =>
    card(selection, order[index], captions[index], (place) => detail.open(place, order)));
  const told = order.length < total ? `The first ${whole(order.length)} of ${counted(total, "sample")}, by rank.` : `${counted(total, "sample")}, by rank.`;
  document.body.append(detail.node);
  grid.count = order.length;
  return { grid, node: section(id, title, total ? told : "None.", grid.node) };
}

async function start() {
  const [values, drawings] = await Promise.all([unpack("ig4-data"), unpack("ig4-charts")]);
  const pictures = (byId("ig4-pictures").textContent || "").split("\n");
  const { comparison, about } = values;
  setConfigs(drawings.themes || {});
  byId("top").replaceChildren(
    el("div", { class: "brand" }, el("span", { class: "mark" }, "ig4"), el("span", { class: "tools" }, themeButton(redraw))),
    el("h1", { dir: "auto" }, `${named(comparison.a)} and ${named(comparison.b)}`),
    el(
      "p", { class: "lead", dir: "auto" },
      `A: ${whole(comparison.a.size)} of ${comparison.a.dataset} by ${comparison.a.selector}. `,
      `B: ${whole(comparison.b.size)} of ${comparison.b.dataset} by ${comparison.b.selector}.`,
    ),
    ...comparison.notes.map((/** @type {string} */ text) => el("p", { class: "warning", role: "note", dir: "auto" }, text)),
  );
  const cameIn = gallery("came-in", "Came in: in B alone", values.cameIn, comparison.came_in, pictures);
  const wentOut = gallery("went-out", "Went out: in A alone", values.wentOut, comparison.went_out, pictures);
  const parts = [
    el("div", { class: "summary" }, keyNumbers(comparison)),
    section(
      "overlap", "What they share", null,
      el("div", { class: "charts" }, figures(drawings.charts || [], "overlap")),
      groups("Kinds", comparison.groups), groups("Clusters", comparison.clusters),
    ),
    settings(comparison), cameIn.node, wentOut.node,
  ];
  byId("main").replaceChildren(...parts);
  byId("nav").replaceChildren(
    ...parts.filter((part) => part.id).map((part) => el("a", { href: `#${part.id}` }, part.querySelector("h2")?.textContent || part.id)),
  );
  const without = about.texts ? "" : " Texts, images, ids and names of groups were left out (--redact).";
  byId("footer").replaceChildren(el("p", {}, `Made by ig4 ${about.version}.${without}`));
  cameIn.grid.show(cameIn.grid.count);
  wentOut.grid.show(wentOut.grid.count);
  document.documentElement.dataset.ready = "yes";
  drawRest();
}

start();
