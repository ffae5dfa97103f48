/** How the scores of a sample add up to F(x): a bar for each, from where the one before ended. */

import { svg } from "./dom.js";
import { number } from "./format.js";

/**
 * @typedef {{name: string, points: number}} Part
 */

const ROW = 22;
const LEFT = 110;
const RIGHT = 70;
const WIDTH = 420;

/**
 * @param {Part[]} parts
 * @param {number} total
 * @param {number | null} line the final score that was the last to be taken
 * @returns {SVGSVGElement}
 */
export function waterfall(parts, total, line) {
  const ends = [0];
  for (const part of parts) ends.push(ends[ends.length - 1] + part.points);
  const least = Math.min(...ends, total, line ?? 0);
  const most = Math.max(...ends, total, line ?? 0);
  const scale = (WIDTH - LEFT - RIGHT) / (most - least || 1);
  const x = (/** @type {number} */ value) => LEFT + (value - least) * scale;
  const height = (parts.length + 1) * ROW + 8;
  const told = parts.map((part) => `${part.name} ${number(part.points)}`).join(", ");
  const picture = svg("svg", {
    class: "waterfall", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
    "aria-label": `${told}: together ${number(total)}`,
  });
  parts.forEach((part, n) => {
    const [from, to] = [ends[n], ends[n + 1]];
    picture.append(...bar(part.name, part.points, x(Math.min(from, to)), x(Math.max(from, to)), n,
      part.points < 0 ? "less" : "more"));
  });
  picture.append(...bar("F(x)", total, x(Math.min(0, total)), x(Math.max(0, total)), parts.length, "total"));
  if (line !== null) {
    picture.append(
      svg("line", { class: "line", x1: x(line), x2: x(line), y1: 0, y2: height }),
      svg("title", {}, `the line is at ${number(line)}`),
    );
  }
  return picture;
}

/**
 * @param {string} name
 * @param {number} value
 * @param {number} from
 * @param {number} to
 * @param {number} row
 * @param {string} kind
 * @returns {SVGElement[]}
 */
function bar(name, value, from, to, row, kind) {
  const y = row * ROW + 4;
  const short = name.length > 15 ? `${name.slice(0, 14)}…` : name;
  return [
    svg("text", { x: LEFT - 8, y: y + 13, "text-anchor": "end" }, short),
    svg("rect", { class: kind, x: from, y, width: Math.max(1, to - from), height: ROW - 6 }),
    svg("text", { x: to + 6, y: y + 13, class: "value" }, number(value)),
  ];
}
