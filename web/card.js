/** One sample in a gallery: its picture, what became of it, and what it says. */

import { el } from "./dom.js";
import { number } from "./format.js";

/** @typedef {import("./data.js").Selection} Selection */

/** The height of a card in a gallery, in pixels: what the style sheet's lines add up to. */
export const CARD_HEIGHT = 300;

const LINES = 5;
/** Characters of a line of the narrowest card. */
const SHORT = 20;

/**
 * @param {Selection} selection
 * @param {number} place
 * @param {string | undefined} caption
 * @param {(place: number) => void} open
 * @param {boolean} [withFinal] whether it says F(x) of now
 * @returns {HTMLButtonElement}
 */
export function card(selection, place, caption, open, withFinal = true) {
  const { samples } = selection;
  const [question, answer] = selection.said(place);
  const final = samples.final[place];
  return el(
    "button",
    { type: "button", class: `card lines-${lines(selection, place, caption)}`, "data-place": place, onclick: () => open(place) },
    picture(selection, place),
    el(
      "span", { class: "card-head" },
      badge(selection, place),
      final === null || !withFinal ? null : el("span", { class: "card-final" }, `F ${number(final)}`),
    ),
    el("span", { class: "card-id", dir: "auto" }, samples.id[place]),
    question && el("span", { class: "card-question", dir: "auto" }, question.slice(0, 200)),
    answer && el("span", { class: "card-answer", dir: "auto" }, answer.slice(0, 300)),
    caption && el("span", { class: "card-caption", dir: "auto" }, caption),
  );
}

/**
 * How many lines the fate of a sample takes, and F(x) beside or below it.
 * @param {string} fate
 */
function rows(fate) {
  if (fate.length <= 9) return 1; // "not taken"
  return Math.min(3, Math.ceil(fate.length / SHORT)) + 1;
}

/**
 * How many lines of the answer there is room for: a reason takes some, and so does a caption.
 * @param {Selection} selection
 * @param {number} place
 * @param {string | undefined} caption
 */
function lines(selection, place, caption = "") {
  const above = selection.isSelected(place) ? 0 : rows(selection.fate(place)) - 1;
  const below = caption.length > SHORT ? 3 : caption ? 1 : 0;
  return Math.max(1, LINES - above - below);
}

/**
 * @param {Selection} selection
 * @param {number} place
 */
export function badge(selection, place) {
  const chosen = selection.isSelected(place);
  const text = chosen ? `✓ rank ${selection.samples.rank[place]}` : selection.fate(place);
  return el("span", { class: chosen ? "badge in" : "badge out", title: text }, text);
}

/**
 * @param {Selection} selection
 * @param {number} place
 * @param {number} [which]
 * @param {boolean} [large]
 */
export function picture(selection, place, which = 0, large = false) {
  const source = selection.picture(place, which, large);
  if (source) return el("img", { class: "picture", src: source, alt: "", decoding: "async" });
  const many = selection.samples.images?.[place] || 0;
  const told = !selection.values.about.images ? "" : many ? "picture not in this page" : "text only";
  return el("span", { class: "picture none" }, told);
}
