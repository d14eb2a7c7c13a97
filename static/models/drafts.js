// What I was about to say, by room. It waits there while I look elsewhere, and outlives a reload of
// the page; it is nobody's business but this tab's.

const MOST = 50; // drafts held; past it the one touched longest ago is let go

export class Drafts {
  #storage;
  #key;
  #texts; // room id → text, the last touched at the end

  constructor({ me, storage }) {
    this.#storage = storage;
    this.#key = `rookery.drafts.${me}`;
    this.#texts = new Map(this.#stored());
  }

  of(room) {
    return this.#texts.get(room) ?? "";
  }

  keep(room, text) {
    this.#texts.delete(room);
    if (text.trim()) this.#texts.set(room, text);
    if (this.#texts.size > MOST) this.#texts.delete(this.#texts.keys().next().value);
    this.#store();
  }

  clear() {
    this.#texts.clear();
    this.#store();
  }

  #store() {
    try {
      this.#storage.setItem(this.#key, JSON.stringify([...this.#texts]));
    } catch {
      // Storage is full or forbidden: the drafts still live as long as the page does.
    }
  }

  #stored() {
    try {
      return JSON.parse(this.#storage.getItem(this.#key)) ?? [];
    } catch {
      return [];
    }
  }
}
