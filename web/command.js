/** A command to type into a terminal: its words stay whole, and a button copies it. */

import { el } from "./dom.js";

const SHOWN = 2000;

/**
 * @param {string} title
 * @param {string} text
 */
export function commandBox(title, text) {
  const code = el("code", {}, words(text));
  return el("div", { class: "command" }, el("span", {}, title), code, copyButton(text, code));
}

/**
 * The words of a command, which break between them alone: "--seed" is one. A word that is wider
 * than its place breaks anywhere.
 * @param {string} text
 */
function words(text) {
  return text.split(/(\s+)/).map((part) => (/\S/.test(part) ? el("span", { class: "word" }, part) : part));
}

/**
 * @param {string} text
 * @param {HTMLElement} shown where the text is selected, if the browser does not let it be copied
 */
export function copyButton(text, shown) {
  const button = el("button", { type: "button", class: "quiet copy", onclick: copy }, "Copy");
  return button;

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      getSelection()?.selectAllChildren(shown);
      say(document.execCommand("copy") ? "Copied" : "Press Ctrl-C");
    }
  }

  /** @param {string} what */
  function say(what) {
    button.textContent = what;
    setTimeout(() => { button.textContent = "Copy"; }, SHOWN);
  }
}
