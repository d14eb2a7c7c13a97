// A value of this tab that outlives a reload of the page, as JSON in its session storage.

/** This tab's storage; null where the browser forbids it. */
export function tabStorage() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}

/** Whether this is an entry of a map by name. */
export const isEntry = (value) => Array.isArray(value) && typeof value[0] === "string";

export class Stored {
  #storage;
  #key;

  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
  }

  /** What was kept, without what is not as it was left; empty where nothing can be read. */
  load(isWhole) {
    try {
      const list = JSON.parse(this.#storage.getItem(this.#key));
      return Array.isArray(list) ? list.filter(isWhole) : [];
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
