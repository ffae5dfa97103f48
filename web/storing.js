/** Stores a selection by a name, with the token, and says what came of it. */

import { el } from "./dom.js";
import { message } from "./format.js";
import { hasToken, store } from "./remote.js";

/** @typedef {{selection: number, name: string | null, size: number, known: boolean, replaced: string | null}} Stored */

/**
 * What was stored, in a sentence; nothing is, where the same selection was there before.
 * @param {Stored} made
 */
function sentence(made) {
  const number = `selection ${made.selection}`;
  if (!made.known) return `Stored as ${number}${made.name ? ` (${made.name})` : ""}.`;
  if (made.replaced) return `It was there before: ${number}, called ${made.replaced} until now, is called ${made.name} from now on.`;
  return `It was there before: ${number}${made.name ? ` (${made.name})` : ""}.`;
}

/** A name to give, a button, and what came of it; the page stays as it is. */
export class StoreControl {
  /**
   * @param {string} id
   * @param {string} label
   * @param {() => any} wanted what is to be stored
   * @param {(selection: number) => string} address of the page of a selection
   * @param {() => Promise<void>} stored
   */
  constructor(id, label, wanted, address, stored) {
    this.wanted = wanted;
    this.address = address;
    this.stored = stored;
    this.name = el("input", { type: "text", id, placeholder: "name of a selection" });
    this.name.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && !event.isComposing) this.save();
    });
    this.label = el("label", { for: id }, label);
    this.told = el("p", { class: "told", role: "status", dir: "auto" });
    /** null where nothing may be stored */
    this.node = hasToken()
      ? el(
          "div", { class: "control store" }, this.label,
          el("div", { class: "store-name" }, this.name, el("button", { type: "button", onclick: () => this.save() }, "Store")),
          this.told,
        )
      : null;
  }

  async save() {
    this.told.replaceChildren();
    try {
      const made = await store("/api/selections", { name: this.name.value, ...this.wanted() });
      this.told.replaceChildren(sentence(made), " ", el("a", { href: this.address(made.selection) }, "Open it"));
      await this.stored();
    } catch (error) {
      this.told.append(this.told.childNodes.length ? " " : "", message(error));
    }
  }
}
