/** Dark or light: as the system says, until the reader says otherwise. */

import { el } from "./dom.js";

const THEMES = ["system", "light", "dark"];

const system = matchMedia("(prefers-color-scheme: dark)");

let chosen = 0;

/** @returns {"light" | "dark"} */
export function theme() {
  if (chosen === 0) return system.matches ? "dark" : "light";
  return chosen === 1 ? "light" : "dark";
}

/** Let the style sheet know. */
function apply() {
  document.documentElement.dataset.theme = theme();
}

apply();

/**
 * The button that changes the theme.
 * @param {() => void} changed
 */
export function themeButton(changed) {
  const label = () => `Theme: ${THEMES[chosen]}`;
  const button = el("button", { type: "button", class: "quiet", onclick: turn }, label());
  system.addEventListener("change", show);
  return button;

  function show() {
    apply();
    changed();
  }

  function turn() {
    chosen = (chosen + 1) % THEMES.length;
    button.textContent = label();
    show();
  }
}
