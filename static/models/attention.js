// Whether somebody is at this page. The server decides who is away, by what comes over the socket; so
// it is told of real input now and then, and on coming back by itself whether anyone is there.

const MOST_OFTEN_MS = 60_000;
const AWAY_MS = 300_000; // until hello says otherwise

export class Attention {
  #tell;
  #awayMs = AWAY_MS;
  #inputAt;
  #toldAt;

  /** `tell()` says to the server that somebody is there. */
  constructor(tell, now = Date.now()) {
    this.#tell = tell;
    this.#inputAt = this.#toldAt = now; // loading the page is input as well
  }

  /** Somebody moved, typed, or looked at the page again. */
  noticed(now = Date.now()) {
    this.#inputAt = now;
    if (now - this.#toldAt < Math.min(MOST_OFTEN_MS, this.#awayMs / 3)) return;
    this.#toldAt = now;
    this.#tell();
  }

  /** Whether there was no input for so long that this person is away, as far as this page knows. */
  isAway(now = Date.now()) {
    return now - this.#inputAt >= this.#awayMs;
  }

  /** What hello said; to have said it was input, unless it said otherwise. */
  greeted({ away_seconds }, now = Date.now()) {
    const away = this.isAway(now);
    if (away_seconds) this.#awayMs = away_seconds * 1000;
    if (!away) this.#toldAt = now;
  }
}
