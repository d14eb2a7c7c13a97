// What is found for what was typed, the newest first. An answer to what is no longer asked is never
// taken, and what happens meanwhile is followed: a hit that is deleted goes, and a line that is said
// while one looks at the results joins them.

import { Emitter } from "../lib/emitter.js";
import { hits, matches, parseQuery } from "../lib/words.js";

const PAGE = 20;
const PAUSE_MS = 250; // after the last key, before the server is asked
const EXCERPT = 220; // characters of a line that are shown
const FROM_START = 120; // what is found this near to the start is shown with all before it
const BEFORE = 48; // characters before what is found further on
const SEVERAL = 2; // letters, below which one alone is not asked for yet

/** Emits `change`. */
export class Search extends Emitter {
  #api;
  #me;
  #pause;
  #timer = 0;
  #run = 0; // what an older run brings is not waited for any more
  #asked = null; // the query of `hits`, parsed
  #before = null; // id of the oldest message that was found
  text = "";
  room = null; // in this one only; null: everywhere
  state = "idle"; // "idle" | "short" | "loading" | "ready" | "failed"
  hits = [];
  hasOlder = false;
  loadingOlder = false;
  olderFailed = false;
  problem = null;

  constructor({ api, me, pause = PAUSE_MS }) {
    super();
    this.#api = api;
    this.#me = me;
    this.#pause = pause;
  }

  /** Looks for this, in this room or everywhere, as soon as the typing rests. */
  ask(text, room) {
    if (text === this.text && room === this.room && this.state !== "failed") return;
    const query = parseQuery(text);
    const elsewhere = room !== this.room;
    Object.assign(this, { text, room, problem: null });
    clearTimeout(this.#timer);
    this.#run += 1;
    this.loadingOlder = this.olderFailed = false;
    if (!query || isTooShort(query)) return this.#nothing(text.trim() ? "short" : "idle");
    if (elsewhere) this.hits = [];
    this.state = "loading";
    this.#timer = setTimeout(() => this.#find(query), this.#pause);
    this.emit("change");
  }

  /** Looks at once, without waiting for the typing to rest; again, where it failed. */
  now() {
    if (this.state !== "loading" && this.state !== "failed") return;
    clearTimeout(this.#timer);
    this.state = "loading";
    this.problem = null;
    this.emit("change");
    return this.#find(parseQuery(this.text));
  }

  /** Looks anew for the same; what was found stays until there is an answer. */
  refresh() {
    if (this.state === "idle" || this.state === "short") return;
    this.loadingOlder = this.olderFailed = false;
    this.state = "loading";
    return this.now();
  }

  async loadOlder() {
    if (this.state !== "ready" || !this.hasOlder || this.loadingOlder) return;
    const run = this.#run;
    this.loadingOlder = true;
    this.olderFailed = false;
    this.emit("change");
    try {
      const page = await this.#page(this.#before);
      if (run !== this.#run) return;
      this.#take(page);
    } catch {
      if (run !== this.#run) return;
      this.olderFailed = true;
    }
    this.loadingOlder = false;
    this.emit("change");
  }

  /** What happens in a room while its lines are among the results. */
  apply({ type, room, message, member }) {
    if (this.room && room !== this.room) return;
    const before = this.hits;
    if (type === "message") this.#said(message);
    else if (type === "edited" || type === "deleted") this.#rewritten(message);
    else if (type === "room_deleted" || (type === "member_removed" && member.user_id === this.#me))
      this.#leave(room);
    if (this.hits !== before) this.emit("change");
  }

  /** A line as pieces to show, what was found marked: `{text, hit}`. Long lines are cut. */
  excerpt(message) {
    return excerpt(this.#asked, message.body ?? "");
  }

  async #find(query) {
    const run = ++this.#run;
    try {
      const page = await this.#page();
      if (run !== this.#run) return;
      this.#asked = query;
      this.hits = [];
      this.state = "ready";
      this.#take(page);
    } catch (problem) {
      if (run !== this.#run) return;
      Object.assign(this, { state: "failed", problem, hits: [], hasOlder: false });
    }
    this.emit("change");
  }

  #page(before) {
    const room = this.room ?? undefined;
    return this.#api.get("/search", {
      q: this.text,
      room,
      before: before ?? undefined,
      limit: PAGE,
    });
  }

  #take({ messages, has_older }) {
    const known = new Set(this.hits.map(({ id }) => id));
    this.hits = [...this.hits, ...messages.filter(({ id }) => !known.has(id))];
    this.hasOlder = has_older;
    this.#before = messages.at(-1)?.id ?? this.#before;
  }

  #nothing(state) {
    Object.assign(this, { state, hits: [], hasOlder: false });
    this.#asked = null;
    this.emit("change");
  }

  /** Older pages are asked for behind a hit, which may be in the room that is gone: so ask anew. */
  #leave(room) {
    this.hits = this.hits.filter((hit) => hit.room_id !== room);
    if (!this.room && this.hasOlder) this.refresh();
  }

  #said(message) {
    if (this.state !== "ready" || !matches(this.#asked, message.body ?? "")) return;
    if (!this.hits.some(({ id }) => id === message.id)) this.hits = [message, ...this.hits];
  }

  #rewritten(message) {
    const at = this.hits.findIndex(({ id }) => id === message.id);
    if (at < 0) return;
    const stays = !message.deleted && matches(this.#asked, message.body ?? "");
    this.hits = stays ? this.hits.with(at, message) : this.hits.toSpliced(at, 1);
  }
}

/** One letter is a word to the server, and rarely all that somebody means to type. */
function isTooShort({ words, prefix }) {
  const [only, ...others] = words;
  return !prefix && others.length === 0 && only.length < SEVERAL && !isWordByItself(only);
}

/** A single character of Chinese, or a number. */
function isWordByItself(character) {
  return /[\p{N}\p{Ideographic}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(character);
}

/** The pieces of a text around what is found first in it. */
export function excerpt(query, body) {
  const text = body.trim().replace(/\s+/g, " ");
  const found = query ? hits(query, text) : [];
  const start = startOf(text, found[0]?.[0] ?? 0);
  const end = text.length > start + EXCERPT ? whole(text, start + EXCERPT) : text.length;
  const pieces = [];
  let at = start;
  for (const [from, to] of found) {
    if (from >= end) break;
    if (from > at) pieces.push({ text: text.slice(at, from), hit: false });
    pieces.push({ text: text.slice(Math.max(from, at), Math.min(to, end)), hit: true });
    at = Math.min(to, end);
  }
  if (at < end) pieces.push({ text: text.slice(at, end), hit: false });
  if (start > 0) pieces.unshift({ text: "…", hit: false });
  if (end < text.length) pieces.push({ text: "…", hit: false });
  return pieces;
}

/** Where to begin, so that what was found is in sight: at a word, if there is one near. */
function startOf(text, found) {
  if (found <= FROM_START) return 0;
  const from = whole(text, found - BEFORE);
  const space = text.indexOf(" ", from);
  return space >= 0 && space < found ? space + 1 : from;
}

/** Not in the middle of a character that takes two places. */
function whole(text, at) {
  return /[\udc00-\udfff]/.test(text[at] ?? "") ? at - 1 : at;
}
