// A value of this tab that outlives a reload of the page, as JSON in its session storage.

export class Stored {
  #storage;
  #key;

  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
  }

  /** What was kept; an empty list where there is nothing that can be read. */
  load() {
    try {
      return JSON.parse(this.#storage.getItem(this.#key)) ?? [];
    } catch {
      return [];
    }
  }

  keep(list) {
    try {
      if (list.length) this.#storage.setItem(this.#key, JSON.stringify(list));
      else this.#storage.removeItem(this.#key);
    } catch {
      // Storage is full or forbidden: it still lives as long as the page does.
    }
  }
}
