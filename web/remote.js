/** Asks the server, and keeps what it has said of samples. */

import { Selection } from "./data.js";

const PAGE = 60;

/**
 * Ask the server for something.
 * @param {string} path
 * @param {Record<string, string | number>} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(path, query = {}, signal = undefined) {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return told(`${path}?${text}`, { signal });
}

/**
 * Have the server store something; it wants the token that the command printed.
 * @param {string} path
 * @param {any} value
 * @returns {Promise<any>}
 */
export async function store(path, value) {
  return told(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-ig4-token": sessionStorage.getItem("ig4-token") || "" },
    body: JSON.stringify(value),
  });
}

/**
 * What the server says; whatever keeps it from saying it is an error with a sentence.
 * @param {string} address
 * @param {RequestInit} request
 * @returns {Promise<any>}
 */
async function told(address, request) {
  let answer;
  let text;
  try {
    answer = await fetch(address, request);
    text = await answer.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Error("The server does not answer: is ig4 browse still running?");
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`The server answers with no JSON (${answer.status} ${answer.statusText}).`);
  }
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

/**
 * Whether nobody waits for the answer any more, which is no trouble.
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

/** Take the token out of the address, where the command put it, so that no link carries it on. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("ig4-token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

export function hasToken() {
  return Boolean(sessionStorage.getItem("ig4-token"));
}

/**
 * @typedef {{row: number, id: string, rank: number, fate: number, final: number | null,
 *   group: number, cluster: number, raw: (number | null)[], percent: (number | null)[],
 *   note: string | null, turns: [string, string][], image: number[], problem: string | null,
 *   similarity?: number, cut?: number}} Card
 */

/** A selection whose samples are read as they are shown; a place is a row of the data set. */
export class RemoteSelection extends Selection {
  /** @param {any} values what the server says about it */
  constructor(values) {
    const columns = values.columns.map(() => []);
    super(
      {
        ...values,
        samples: {
          id: [], row: [], rank: [], fate: [], final: [], group: [], cluster: [], note: {},
          turns: [], image: [], images: {}, cut: {}, problem: {}, raw: columns,
          percent: values.columns.map(() => []),
        },
      },
      [],
    );
  }

  /** @param {Card} one */
  keep(one) {
    const { samples } = this;
    const { row } = one;
    const many = one.image.length;
    samples.row[row] = row;
    for (const name of /** @type {const} */ (["id", "rank", "fate", "final", "turns"])) {
      /** @type {any} */ (samples)[name][row] = one[name];
    }
    /** @type {number[]} */ (samples.group)[row] = one.group;
    /** @type {number[]} */ (samples.cluster)[row] = one.cluster;
    samples.image[row] = one.image;
    if (samples.images) samples.images[row] = many;
    if (one.note) samples.note[row] = one.note;
    if (one.problem && samples.problem) samples.problem[row] = one.problem;
    if (samples.cut && one.cut) samples.cut[row] = one.cut;
    one.raw.forEach((value, n) => { samples.raw[n][row] = value; });
    one.percent.forEach((value, n) => { samples.percent[n][row] = value; });
    this.texts[row] = undefined;
  }

  /** @param {number} place */
  knows(place) {
    return this.samples.id[place] !== undefined;
  }

  /**
   * @param {number} place
   * @param {number} [which]
   * @param {boolean} [large]
   */
  picture(place, which = 0, large = false) {
    if (!(this.samples.image[place]?.[which] >= 0)) return null;
    const side = large ? 448 : 96;
    return `/thumb/${place}/${which}?side=${side}&selection=${this.values.about.selection}`;
  }
}

/** The samples that a filter asks for, a page at a time. */
export class RemoteList {
  /**
   * @param {RemoteSelection} selection
   * @param {Record<string, string | number>} query
   * @param {(first: number, last: number) => void} arrived
   */
  constructor(selection, query, arrived) {
    this.selection = selection;
    this.query = query;
    this.arrived = arrived;
    this.total = 0;
    /** @type {number[]} */
    this.rows = [];
    /** @type {Map<number, Promise<void>>} */
    this.pages = new Map();
    this.control = new AbortController();
  }

  /** How many samples there are: what `Detail` walks through. */
  get length() {
    return this.total;
  }

  /**
   * @param {number} index
   * @returns {Promise<number>} the row of the sample at a place of the list
   */
  async at(index) {
    await this.page(Math.floor(index / PAGE));
    return this.rows[index];
  }

  /**
   * @param {number} number
   * @returns {Promise<void>}
   */
  page(number) {
    let known = this.pages.get(number);
    if (!known) {
      known = this.fetch(number);
      this.pages.set(number, known);
      known.catch(() => this.pages.delete(number)); // whoever asks again gets another try
    }
    return known;
  }

  /** @param {number} number */
  async fetch(number) {
    const query = { ...this.query, offset: number * PAGE, limit: PAGE };
    const answer = await ask("/api/samples", query, this.control.signal);
    this.total = answer.total;
    answer.cards.forEach((/** @type {Card} */ card, /** @type {number} */ n) => {
      this.rows[number * PAGE + n] = card.row;
      this.selection.keep(card);
    });
    this.arrived(number * PAGE, number * PAGE + answer.cards.length);
  }

  /** The gallery shows another list; whoever still walks through this one may go on. */
  leave() {
    this.control.abort();
    this.control = new AbortController();
  }
}
