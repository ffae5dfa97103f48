/** A page about one selection: reads its data, and puts its parts together. */

import { card } from "./card.js";
import { drawRest, redraw, setConfigs } from "./charts.js";
import { Selection, unpack } from "./data.js";
import { Detail } from "./detail.js";
import { byId, el, section } from "./dom.js";
import { Explorer } from "./explorer.js";
import { isOwnKey } from "./keys.js";
import { SampleMap } from "./map.js";
import {
  clustersSection, duplicatesSection, edgeSection, extremesSection, footer, headline, keptSection, keyNumbers,
  leftOutSection, makingSection, mixSection, notices, outcomesSection, scoresSection,
} from "./overview.js";
import { themeButton } from "./theme.js";

async function start() {
  const [values, drawings] = await Promise.all([unpack("ig4-data"), unpack("ig4-charts")]);
  const pictures = (byId("ig4-pictures").textContent || "").split("\n");
  const selection = new Selection(values, pictures);
  setConfigs(drawings.themes || {});
  const charts = drawings.charts || [];
  const detail = new Detail(selection);
  /** @type {SampleMap | null} */
  let map = null;
  const open = (/** @type {number} */ place, /** @type {number[]} */ list) => detail.open(place, list);
  const explorer = new Explorer(selection, open);
  if (values.map) {
    map = new SampleMap(selection, (place) => open(place, [place]));
  }
  const changed = () => {
    redraw();
    map?.draw();
  };
  byId("top").replaceChildren(...headline(selection, [themeButton(changed), printButton()]).filter(Boolean));
  const make = (/** @type {import("./data.js").Gallery} */ gallery, /** @type {number} */ place) =>
    card(selection, place, gallery.captions[place], () => open(place, gallery.rows));
  const show = (/** @type {string} */ view) => explorer.go({ view });
  const parts = [
    el("div", { class: "summary" }, keyNumbers(selection), notices(selection)),
    keptSection(selection, make, show),
    edgeSection(selection, make),
    duplicatesSection(selection, make),
    leftOutSection(selection, make, show),
    mixSection(selection, charts),
    scoresSection(selection, charts),
    extremesSection(selection, make, show),
    clustersSection(selection, charts, open, (cluster) => explorer.go({ view: "all", cluster: String(cluster) })),
    map && section("map", "Map", mapTold(values), map.node),
    outcomesSection(selection, charts),
    makingSection(selection, charts),
    explorer.node, // last: of thousands of samples nobody would scroll to what is below
  ].filter((part) => part !== null);
  byId("main").replaceChildren(...parts);
  document.body.append(detail.node);
  byId("footer").replaceChildren(footer(selection));
  byId("nav").replaceChildren(...navigation(parts));
  addEventListener("keydown", (event) => shortcut(event, explorer));
  explorer.grid.draw();
  map?.draw();
  const asked = location.hash.slice(1); // a part of the page, or what the gallery shows
  (asked.includes("=") ? explorer.node : document.getElementById(asked))?.scrollIntoView();
  document.documentElement.dataset.ready = "yes";
  drawRest();
}

/** @param {import("./data.js").Values} values */
function mapTold(values) {
  const { map } = values;
  if (!map) return "";
  const how = map.method === "pca"
    ? "the two directions in which they differ most (PCA)"
    : `laid out by ${map.method}: neighbours stay near, other distances mean little`;
  return `${map.told}. The vectors of ${map.space}, in ${how}. Drag, zoom, and click on a sample.`;
}

/** @param {HTMLElement[]} parts */
function navigation(parts) {
  return parts
    .filter((part) => part.id)
    .map((part) => el("a", { href: `#${part.id}` }, part.querySelector("h2")?.textContent || part.id));
}

function printButton() {
  return el("button", { type: "button", class: "quiet", onclick: () => print() }, "Print");
}

/**
 * @param {KeyboardEvent} event
 * @param {Explorer} explorer
 */
function shortcut(event, explorer) {
  if (event.key !== "/" || !isOwnKey(event) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  explorer.node.scrollIntoView();
  explorer.search.focus({ preventScroll: true });
}

start();
