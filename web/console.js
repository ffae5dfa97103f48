/** Questions to the database in SQL; the server lets nothing but reading through. */

import { el, table } from "./dom.js";
import { counted, message } from "./format.js";
import { ask } from "./remote.js";

const FIRST = "SELECT external_id, answer FROM scores_wide LIMIT 20";

export function sqlConsole() {
  const field = el("textarea", { id: "sql", rows: 4, spellcheck: "false", "aria-label": "SQL" }, FIRST);
  const told = el("p", { class: "told", role: "status" });
  const result = el("div", {});
  const run = async () => {
    told.textContent = "…";
    try {
      const answer = await ask("/api/query", { sql: field.value });
      told.textContent = answer.more
        ? `The first ${counted(answer.rows.length, "row")}; \`ig4 query\` gives all.`
        : counted(answer.rows.length, "row");
      result.replaceChildren(answer.rows.length ? table(null, answer.columns, answer.rows.map(shown)) : "");
    } catch (error) {
      told.textContent = message(error);
      result.replaceChildren();
    }
  };
  field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  return el(
    "section", { id: "sql-part", "aria-labelledby": "sql-title" },
    el("h2", { id: "sql-title" }, "SQL"),
    el("p", { class: "told" }, "Read-only. Views that are pleasant to ask: scores_wide, scores_long, selections_wide, groups_long."),
    field, el("p", {}, el("button", { type: "button", onclick: run }, "Run (Ctrl-Enter)")), told, result,
  );
}

/**
 * @param {any[]} row
 * @returns {any[]}
 */
function shown(row) {
  return row.map((value) => {
    if (value === null) return "NULL";
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return text.length > 500 ? `${text.slice(0, 500)}…` : text;
  });
}
