/** Dark or light: as the system says, until the reader says otherwise. */

import { el } from "./dom.js";

const THEMES = ["system", "light", "dark"];

/** @returns {"light" | "dark"} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/**
 * The button that changes the theme.
 * @param {() => void} changed
 */
export function themeButton(changed) {
  let which = 0;
  const button = el("button", { type: "button", class: "quiet", onclick: turn }, label());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  return button;

  function label() {
    return `Theme: ${THEMES[which]}`;
  }

  function turn() {
    which = (which + 1) % THEMES.length;
    if (which === 0) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = THEMES[which];
    button.textContent = label();
    changed();
  }
}
