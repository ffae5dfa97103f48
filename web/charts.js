/** The charts of a page: Vega-Lite specifications, drawn when they come into sight, or in idle time. */

import { el } from "./dom.js";
import { theme } from "./theme.js";

/** @typedef {import("./data.js").Chart} Chart */

/** @typedef {{chart: Chart, box: HTMLElement, view: any}} Entry */

/** @type {Entry[]} */
const drawn = [];

/** @type {Set<Entry>} */
const waiting = new Set();

/**
 * The charts of a part of the page, as figures that draw themselves.
 * @param {Chart[]} charts
 * @param {string} part
 * @returns {HTMLElement[]}
 */
export function figures(charts, part) {
  return charts.filter((chart) => chart.section === part).map(figure);
}

/** @param {Chart} chart */
function figure(chart) {
  const box = el("div", { class: "chart" });
  const entry = { chart, box, view: null };
  waiting.add(entry);
  new IntersectionObserver((seen, observer) => {
    if (waiting.has(entry) && !seen.some((one) => one.isIntersecting)) return;
    observer.disconnect();
    first(entry);
  }, { rootMargin: "400px" }).observe(box);
  return el("figure", { class: "chart-box", id: `chart-${chart.id}` }, box);
}

/**
 * Draw a chart that waits for it.
 * @param {Entry} entry
 */
async function first(entry) {
  if (!waiting.delete(entry)) return;
  drawn.push(entry);
  await draw(entry);
}

/** Draw the others while the reader looks at something else, so that they are there on paper. */
export function drawRest() {
  const idle = window.requestIdleCallback || ((/** @type {() => void} */ work) => setTimeout(work, 50));
  idle(async () => {
    // What is folded away has no width yet: it is drawn when somebody opens it.
    const next = [...waiting].find((entry) => entry.box.clientWidth > 0);
    if (!next) return;
    await first(next);
    drawRest();
  });
}

/** @param {Entry} entry */
async function draw(entry) {
  const embed = /** @type {any} */ (window).vegaEmbed;
  if (!embed) return;
  const { spec } = entry.chart;
  const config = configs[theme()] || {};
  // With a tree instead of code: the policy of the page allows no code that is made of text.
  const options = { ast: true, actions: false, renderer: "svg", config, tooltip: { theme: theme() } };
  const result = await embed(entry.box, spec, options);
  entry.view = result.view;
}

/** @type {Record<string, any>} */
let configs = {};

/** @param {Record<string, any>} given by theme */
export function setConfigs(given) {
  configs = given;
}

/** Draw all charts that were drawn before in the colours of the theme of now. */
export function redraw() {
  for (const entry of drawn) {
    entry.view?.finalize();
    draw(entry);
  }
}
