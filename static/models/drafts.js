// What I was about to say, by room. It waits there while I look elsewhere, and outlives a reload of
// the page; it is nobody's business but this tab's.

import { Stored, isEntry } from "../lib/stored.js";

const MOST = 50; // drafts held; past it the one touched longest ago is let go

const isDraft = (value) => isEntry(value) && typeof value[1] === "string";

export class Drafts {
  #stored;
  #texts; // room id → text, the last touched at the end

  constructor({ me, storage }) {
    this.#stored = new Stored(storage, `rookery.drafts.${me}`);
    this.#texts = new Map(this.#stored.load(isDraft));
  }

  of(room) {
    return this.#texts.get(room) ?? "";
  }

  keep(room, text) {
    this.#texts.delete(room);
    if (text.trim()) this.#texts.set(room, text);
    if (this.#texts.size > MOST) this.#texts.delete(this.#texts.keys().next().value);
    this.#stored.keep([...this.#texts]);
  }

  clear() {
    this.#texts.clear();
    this.#stored.keep([...this.#texts]);
  }
}
