/** Which keys are a page's own: not those that somebody types, and not those of the browser. */

/**
 * Whether a key goes to the page: not where one types or chooses, nor with Ctrl, Meta or Alt.
 * @param {KeyboardEvent} event
 */
export function isOwnKey(event) {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  if (!(target instanceof HTMLElement)) return true;
  return !target.isContentEditable && !target.matches("input, textarea, select");
}

/**
 * Whether an arrow to the side moves what has the focus: a table wider than its place.
 * @param {KeyboardEvent} event
 */
export function scrollsAside(event) {
  const { target } = event;
  return target instanceof HTMLElement && target.matches(".scroll") && target.scrollWidth > target.clientWidth;
}
