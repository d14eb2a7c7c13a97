// Models tell, controllers listen. This is all the machinery there is for it: a name, a list of
// listeners, and a way to stop listening.

export class Emitter {
  #listeners = new Map();

  /** Listens; the answer is a function that stops listening. */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  emit(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(value);
  }
}
