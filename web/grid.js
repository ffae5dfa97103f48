/** A gallery of any length: only the cards near the window are in the document. */

import { el } from "./dom.js";
import { isOwnKey } from "./keys.js";

const GAP = 12;
const WIDTH = 190;
/** From this width on two cards are side by side, though they are narrower than others. */
const NARROW = 300;
const PRINTED = 48;

/** A grid of cards that scrolls with the page; arrows move the focus from card to card. */
export class Grid {
  /**
   * @param {string} label
   * @param {number} height of a card, in pixels
   * @param {(index: number) => HTMLElement} make the card of a place in the list
   */
  constructor(label, height, make) {
    this.make = make;
    this.height = height;
    this.count = 0;
    this.across = 1;
    this.focused = 0;
    /** @type {Map<number, HTMLElement>} */
    this.cards = new Map();
    this.node = el("ul", { class: "grid", "aria-label": label, onkeydown: this.moved.bind(this) });
    this.entered = false;
    document.addEventListener("focusin", ({ target }) => {
      if (target instanceof Element && !target.closest("dialog")) this.entered = this.node.contains(target);
    });
    document.addEventListener("close", () => this.back(), true);
    const draw = this.draw.bind(this);
    addEventListener("scroll", draw, { passive: true });
    addEventListener("resize", draw);
    new ResizeObserver(draw).observe(this.node);
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.show(this.count));
  }

  /**
   * Show another list, of so many cards.
   * @param {number} count
   */
  show(count) {
    this.count = count;
    this.focused = 0;
    this.node.classList.remove("printed");
    this.again();
  }

  /** Take the focus back from a dialog that was opened here, where its card was drawn anew since. */
  back() {
    const now = document.activeElement; // still a button of the closed dialog, where it found none
    if (this.entered && (!now || now === document.body || now.closest("dialog"))) this.focus(this.focused);
  }

  /** Draw all cards anew; who was on a card is on the same place, and not thrown out of the list. */
  again() {
    const held = this.node.contains(document.activeElement);
    this.clear();
    this.draw();
    if (held) this.focus(Math.min(this.focused, this.count - 1));
  }

  /**
   * Make cards anew that have changed.
   * @param {number} first
   * @param {number} last
   */
  refresh(first, last) {
    for (const [index, item] of this.cards) {
      if (index < first || index >= last) continue;
      const held = item.contains(document.activeElement);
      const content = this.make(index);
      content.tabIndex = index === this.focused ? 0 : -1;
      content.addEventListener("focus", () => this.mark(index));
      item.replaceChildren(content);
      if (held) content.focus({ preventScroll: true });
    }
  }

  clear() {
    this.cards.clear();
    this.node.replaceChildren();
  }

  /** Lay the first cards out as a printer needs them. */
  print() {
    this.clear();
    this.node.classList.add("printed");
    this.node.style.height = "auto";
    const shown = Math.min(PRINTED, this.count);
    for (let n = 0; n < shown; n += 1) this.node.appendChild(el("li", {}, this.make(n)));
  }

  draw() {
    if (this.node.classList.contains("printed")) return;
    const width = this.node.clientWidth;
    if (!width) return;
    const across = Math.max(width < NARROW ? 1 : 2, Math.floor((width + GAP) / (WIDTH + GAP)));
    if (across !== this.across) {
      this.across = across;
      this.again();
      return;
    }
    const step = this.height + GAP;
    this.node.style.height = `${Math.max(0, Math.ceil(this.count / across) * step - GAP)}px`;
    const top = -this.node.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((top - innerHeight) / step)) * across;
    const last = Math.min(this.count, Math.ceil((top + 2 * innerHeight) / step) * across);
    for (const [index, item] of this.cards) {
      if ((index < first || index >= last) && !item.contains(document.activeElement)) {
        item.remove();
        this.cards.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) {
      if (!this.cards.has(index)) this.put(index, (width + GAP) / across - GAP);
    }
  }

  /**
   * @param {number} index
   * @param {number} width
   */
  put(index, width) {
    const content = this.make(index);
    content.tabIndex = index === this.focused ? 0 : -1;
    content.addEventListener("focus", () => this.mark(index));
    const item = el(
      "li", { "aria-setsize": this.count, "aria-posinset": index + 1 }, content,
    );
    item.style.width = `${width}px`;
    item.style.height = `${this.height}px`;
    item.style.left = `${(index % this.across) * (width + GAP)}px`;
    item.style.top = `${Math.floor(index / this.across) * (this.height + GAP)}px`;
    this.cards.set(index, item);
    const after = [...this.cards.keys()].filter((one) => one > index).sort((a, b) => a - b)[0];
    this.node.insertBefore(item, after === undefined ? null : this.cards.get(after) || null);
  }

  /** @param {number} index */
  mark(index) {
    const before = this.cards.get(this.focused)?.firstElementChild;
    if (before instanceof HTMLElement) before.tabIndex = -1;
    this.focused = index;
    const now = this.cards.get(index)?.firstElementChild;
    if (now instanceof HTMLElement) now.tabIndex = 0;
  }

  /** @param {number} index */
  focus(index) {
    if (index < 0 || index >= this.count) return;
    const step = this.height + GAP;
    const top = this.node.getBoundingClientRect().top + Math.floor(index / this.across) * step;
    if (top < 120 || top + this.height > innerHeight) scrollBy(0, top - innerHeight / 3);
    this.draw();
    this.mark(index);
    const content = this.cards.get(index)?.firstElementChild;
    if (content instanceof HTMLElement) content.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  moved(event) {
    if (!isOwnKey(event)) return;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across,
      PageUp: -3 * this.across, PageDown: 3 * this.across,
    };
    let goal = this.focused + (steps[event.key] ?? 0);
    if (event.key === "Home") goal = 0;
    else if (event.key === "End") goal = this.count - 1;
    else if (!(event.key in steps)) return;
    event.preventDefault();
    this.focus(Math.min(Math.max(goal, 0), this.count - 1));
  }
}
