// How long to wait before trying again. Full jitter: anything between nothing and a limit that
// doubles each time, so that thousands of clients of a restarted server come back spread out.

const FIRST_MS = 600;
const LONGEST_MS = 30_000;

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export class Backoff {
  #tries = 0;
  #random;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** The next delay in milliseconds, never below `least`. */
  next(least = 0) {
    const limit = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, 16);
    return Math.max(least, Math.round(this.#random() * limit));
  }

  /** The next delay in milliseconds where the server named one, in seconds: within the next after it. */
  later(seconds) {
    return seconds * 1_000 + Math.max(this.next(), Math.round(this.#random() * 1_000));
  }

  reset() {
    this.#tries = 0;
  }
}
