// Who is called what and looks like what, by user id, learned from everything that passes by. Events
// such as `typing` carry only an id, and a message no picture; people who are not known yet are asked
// for once, many at a time.

import { Emitter } from "../lib/emitter.js";

const MOST = 5_000; // names held; past it everything is forgotten and learned again
const AT_ONCE = 100; // ids that one request may name
const GATHER_MS = 20; // for which those who are wanted are gathered

/** What the server calls who deleted their account. */
const NOBODY = "Deleted user";

/** Emits `change` when names came, and `picture` with `{ id, avatar }`. */
export class People extends Emitter {
  #api;
  #names = new Map();
  #asked = new Set();
  #wanted = new Set();

  constructor(api) {
    super();
    this.#api = api;
  }

  learn(id, displayName) {
    if (!id || !displayName) return;
    if (this.#names.size >= MOST) this.#names.clear();
    this.#names.set(id, displayName);
  }

  /** Takes all that the server says of somebody. */
  take({ id, display_name, avatar = null }) {
    this.#asked.add(id);
    this.learn(id, display_name);
    this.emit("picture", { id, avatar });
  }

  /** The name, or null for now; `change` tells when it is known. */
  nameOf(id) {
    const name = this.#names.get(id);
    if (!name) this.want(id);
    return name ?? null;
  }

  /** Finds out about somebody, unless that was done. */
  want(id) {
    if (this.#asked.has(id)) return;
    if (this.#asked.size >= MOST) this.#asked.clear();
    this.#asked.add(id);
    this.#wanted.add(id);
    if (this.#wanted.size === 1) setTimeout(() => this.#ask(), GATHER_MS);
  }

  /** What is known may have changed, and is asked for again: these at once, others when needed. */
  refresh(ids) {
    this.#asked.clear();
    for (const id of ids) this.want(id);
  }

  async #ask() {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (let at = 0; at < wanted.length; at += AT_ONCE)
      await this.#askFor(wanted.slice(at, at + AT_ONCE));
    this.emit("change");
  }

  async #askFor(ids) {
    try {
      const { users } = await this.#api.get("/users", { ids: ids.join(",") });
      const missing = new Set(ids);
      for (const user of users) {
        this.take(user);
        missing.delete(user.id);
      }
      for (const id of missing) this.take({ id, display_name: NOBODY });
    } catch {
      // They stay "Somebody" until the page is connected anew; asking at once would not end.
    }
  }
}
