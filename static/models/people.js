// Names by user id, learned from everything that passes by. Events such as `typing` carry only an
// id; a person nobody has named yet is asked for once.

import { path } from "../lib/api.js";
import { Emitter } from "../lib/emitter.js";

const MOST = 5_000; // names held; past it everything is forgotten and learned again

export class People extends Emitter {
  #api;
  #names = new Map();
  #asked = new Set();

  constructor(api) {
    super();
    this.#api = api;
  }

  learn(id, displayName) {
    if (!id || !displayName) return;
    if (this.#names.size >= MOST) this.#names.clear();
    this.#names.set(id, displayName);
  }

  /** The name, or null for now; `change` tells when it is known. */
  nameOf(id) {
    const name = this.#names.get(id);
    if (!name) this.#ask(id);
    return name ?? null;
  }

  async #ask(id) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      const { user } = await this.#api.get(path`/users/${id}`);
      this.learn(user.id, user.display_name);
      this.emit("change");
    } catch {
      // They stay "Somebody".
    }
  }
}
