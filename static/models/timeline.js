// What was said in one room, as far as it was loaded: an unbroken run of messages up to the newest,
// ordered by position, each id once. Pages come from history, the rest from events; whichever comes
// first, the result is the same.

import { path } from "../lib/api.js";
import { Emitter } from "../lib/emitter.js";
import { compare, isLater } from "../lib/position.js";

const PAGE = 50;
const MOST = 1_000; // lines held while the newest are being watched; past it the oldest are let go
const KEPT = 400;

export class Timeline extends Emitter {
  #api;
  #byId = new Map();
  #changedWhileLoading = new Map(); // edits and deletions that a page under way may not know yet
  #load = 0;
  messages = [];
  state = "empty"; // "loading" | "ready" | "failed"
  hasOlder = false;
  loadingOlder = false;

  constructor(room, api) {
    super();
    this.room = room;
    this.#api = api;
  }

  get newest() {
    return this.messages.at(-1);
  }

  /** Loads the newest page; what was held before and does not join on to it is forgotten. */
  async load() {
    const load = ++this.#load;
    this.state = "loading";
    this.loadingOlder = false;
    this.emit("change");
    try {
      const page = await this.#page();
      if (load !== this.#load) return;
      const floor = page.messages[0]?.position;
      if (page.has_older && floor) this.#forgetBefore(floor);
      this.hasOlder = page.has_older;
      this.#take(page.messages);
      this.state = "ready";
    } catch (problem) {
      if (load !== this.#load) return;
      this.state = "failed";
      this.problem = problem;
    }
    this.emit("change");
  }

  async loadOlder() {
    if (this.state !== "ready" || !this.hasOlder || this.loadingOlder) return;
    const load = this.#load;
    this.loadingOlder = true;
    this.olderFailed = false;
    this.emit("change");
    try {
      const page = await this.#page(this.messages[0]?.position);
      if (load !== this.#load) return;
      this.hasOlder = page.has_older;
      this.#take(page.messages);
    } catch {
      if (load !== this.#load) return;
      this.olderFailed = true;
    }
    this.loadingOlder = false;
    this.emit("change");
  }

  /** Applies an event of this room. */
  apply(event) {
    if (event.type === "message") this.#put(event.message);
    else if (event.type === "edited" || event.type === "deleted") this.#change(event.message);
    else return;
    this.emit("change");
  }

  /** A message from the answer to a `send`. */
  add(message) {
    this.#put(message);
    this.emit("change");
  }

  /** Lets go of the oldest lines, once there are many. Only while nobody looks at them. */
  trim() {
    if (this.messages.length <= MOST || this.loadingOlder) return;
    this.#forgetBefore(this.messages.at(-KEPT).position);
    this.hasOlder = true;
    this.emit("change");
  }

  #page(before) {
    return this.#api.get(path`/rooms/${this.room}/messages`, { before, limit: PAGE });
  }

  #take(messages) {
    for (const message of messages) this.#put(message);
    for (const message of this.#changedWhileLoading.values()) this.#change(message);
    this.#changedWhileLoading.clear();
  }

  #put(message) {
    const known = this.#byId.get(message.id);
    if (known) return this.#replace(known, message);
    this.#byId.set(message.id, message);
    let index = this.messages.length;
    while (index > 0 && isLater(this.messages[index - 1].position, message.position)) index--;
    this.messages.splice(index, 0, message);
  }

  #change(message) {
    const known = this.#byId.get(message.id);
    if (known) this.#replace(known, message);
    else if (this.state === "loading" || this.loadingOlder) {
      this.#changedWhileLoading.set(message.id, message);
    }
  }

  /** Of two versions of one message the later edit wins, and a deletion wins over all. */
  #replace(known, message) {
    const older = known.deleted || (known.edited_at ?? "") > (message.edited_at ?? "");
    if (older && !message.deleted) return;
    const merged = { ...message, client_id: message.client_id ?? known.client_id };
    this.#byId.set(message.id, merged);
    this.messages[this.messages.indexOf(known)] = merged;
  }

  #forgetBefore(position) {
    this.messages = this.messages.filter((message) => compare(message.position, position) >= 0);
    this.#byId = new Map(this.messages.map((message) => [message.id, message]));
  }
}
