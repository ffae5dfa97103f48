/** What a page holds: the data of a selection, unpacked, and questions about single samples. */

import { counted } from "./format.js";

/**
 * @typedef {{name: string, count: number}} Named
 * @typedef {{name: string, weight: number | null, share: number | null, known: number}} Column
 * @typedef {{key: string, title: string, total: number, rows: number[],
 *   captions: Record<string, string>, pairs: [number, number][]}} Gallery
 * @typedef {{title: string, columns: string[], rows: any[][]}} Table
 * @typedef {{label: number, size: number, compared: number, selected: number, mean: number | null,
 *   line: number | null, typical: number[]}} Cluster
 * @typedef {{id: string[], row: number[], rank: number[], fate: number[], final: (number | null)[],
 *   group: number[] | null, cluster: number[] | null, raw: (number | null)[][],
 *   percent: (number | null)[][], note: Record<string, string>, turns: [string, string][][],
 *   image: number[][], cut?: Record<string, number>, images?: Record<string, number>,
 *   problem?: Record<string, string>}} Samples
 * @typedef {{space: string, method: string, told: string, ratio: number, x: string, y: string,
 *   selected: string, cluster: string, card: string}} PackedMap
 * @typedef {{about: Record<string, any>, config: Record<string, any>, notices: string[],
 *   warnings: string[], fates: Named[], groups: Named[] | null, groupsBy: string | null,
 *   composition: any, stages: any[], columns: Column[], clusters: Cluster[],
 *   clustering: string | null, galleries: Gallery[], samples: Samples, map: PackedMap | null,
 *   outcomes: Table[], costs: Table[]}} Values
 * @typedef {{section: string, id: string, spec: any}} Chart
 */

/**
 * Read compressed JSON out of an element of the page.
 * @param {string} id
 * @returns {Promise<any>}
 */
export async function unpack(id) {
  const bytes = decoded(document.getElementById(id)?.textContent || "");
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/**
 * @param {string} text in base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decoded(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let n = 0; n < binary.length; n += 1) bytes[n] = binary.charCodeAt(n);
  return bytes;
}

/** One selection as a page knows it. */
export class Selection {
  /**
   * @param {Values} values
   * @param {string[]} pictures in base64
   */
  constructor(values, pictures) {
    this.values = values;
    this.samples = values.samples;
    this.pictures = pictures;
    /** @type {(string | undefined)[]} */
    this.texts = new Array(this.samples.id.length);
  }

  get count() {
    return this.samples.id.length;
  }

  /**
   * The address of a picture of a sample, null where it has none.
   * @param {number} place
   * @param {number} [which]
   * @param {boolean} [_large] a page has no larger ones
   */
  picture(place, which = 0, _large = false) {
    const number = this.samples.image[place]?.[which];
    if (number === undefined || number < 0) return null;
    return `data:image/webp;base64,${this.pictures[number]}`;
  }

  /**
   * Everything that is said in a sample, in lower case, for searching.
   * @param {number} place
   */
  text(place) {
    let text = this.texts[place];
    if (text === undefined) {
      const turns = this.samples.turns[place].map((turn) => turn[1]).join("\n");
      text = `${this.samples.id[place]}\n${turns}`.toLowerCase();
      this.texts[place] = text;
    }
    return text;
  }

  /**
   * The last question and the answers of a sample, in a line each.
   * @param {number} place
   * @returns {[string, string]}
   */
  said(place) {
    const turns = this.samples.turns[place];
    const by = (/** @type {string} */ role) =>
      turns.filter((turn) => turn[0] === role).map((turn) => turn[1]).join("\n");
    return [by("user"), by("assistant")];
  }

  /** @param {number} place */
  isSelected(place) {
    return this.samples.rank[place] > 0;
  }

  /** @param {number} place */
  fate(place) {
    return this.values.fates[this.samples.fate[place]].name;
  }

  /** @param {number} place */
  group(place) {
    const { groups } = this.values;
    const label = this.samples.group?.[place] ?? -1;
    return groups && label >= 0 ? groups[label].name : null;
  }

  /**
   * Why a sample is where it is, in a sentence.
   * @param {number} place
   */
  why(place) {
    if (this.isSelected(place)) return `Selected, rank ${this.samples.rank[place]}.`;
    const note = this.samples.note[place];
    const line = this.distance(place);
    if (note) return `${capital(this.fate(place))}: ${note}.`;
    if (this.fate(place) !== "not taken") return `Not selected: ${this.fate(place)}.`;
    if (line === null) return "Not taken by the selector.";
    if (this.isTie(place, line)) return "Not taken: F(x) is that of the last one taken, to six digits.";
    return `Not taken: ${Math.abs(line).toPrecision(3)} below the line.`;
  }

  /**
   * How far F(x) of a sample is from the line of its contest; null where there is none.
   * @param {number} place
   * @returns {number | null}
   */
  distance(place) {
    const final = this.samples.final[place];
    if (!this.values.about.ranksByFinal || final === null) return null;
    const line = this.line(this.samples.cluster?.[place]);
    return line === null ? null : final - line;
  }

  /**
   * Whether a sample is as good as the last one taken, as far as the digits of a page tell.
   * @param {number} place
   * @param {number} distance
   */
  isTie(place, distance) {
    return Math.abs(distance) <= 1e-5 * Math.abs(this.samples.final[place] ?? 0);
  }

  /**
   * The final score that was the last to be taken, in a cluster where the selector deals by these.
   * @param {number | undefined} cluster
   * @returns {number | null}
   */
  line(cluster) {
    if (this.values.clusters.some((one) => one.line !== null)) {
      return this.values.clusters.find((one) => one.label === cluster)?.line ?? null;
    }
    return this.values.about.line ?? null;
  }
}

/**
 * Whether a gallery counts pairs, each of which is two samples.
 * @param {Gallery} gallery
 */
export function inPairs(gallery) {
  return gallery.key === "duplicates";
}

/**
 * How many there are of what a gallery shows, in words.
 * @param {Gallery} gallery
 */
export function sum(gallery) {
  return counted(gallery.total, inPairs(gallery) ? "pair" : "sample");
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
