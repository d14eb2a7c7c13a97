// Read markers on their way to the server. What I have read is read at once on this page; it is said
// again until the server has it, or the count would be back on every other device and after a reload.

import { Backoff, pause } from "../lib/backoff.js";
import { compareMarkers } from "./markers.js";

const LEAST_PAUSE_MS = 300;
const LOST = new Set(["not_connected", "connection_lost"]); // said again by `resume`

export class ReadMarkers {
  #say;
  #unsaid = new Map(); // room id → marker
  #busy = new Set(); // rooms whose marker is being said right now

  /** `say(room, marker)` resolves when the server has it, or rejects with a `CommandError`. */
  constructor(say) {
    this.#say = say;
  }

  move(room, marker) {
    const unsaid = this.#unsaid.get(room);
    if (!unsaid || compareMarkers(marker, unsaid) > 0) this.#unsaid.set(room, marker);
    this.#pump(room);
  }

  /** What the server may not know yet: `[room, marker]`. */
  unsaid() {
    return [...this.#unsaid];
  }

  /** Connected again. */
  resume() {
    for (const room of this.#unsaid.keys()) this.#pump(room);
  }

  forget(room) {
    this.#unsaid.delete(room);
  }

  async #pump(room) {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    const backoff = new Backoff();
    for (let marker; (marker = this.#unsaid.get(room));) {
      try {
        await this.#say(room, marker);
      } catch (error) {
        if (LOST.has(error.code)) break;
        if (error.temporary) {
          await pause(backoff.next(LEAST_PAUSE_MS));
          continue;
        }
      }
      if (this.#unsaid.get(room) === marker) this.#unsaid.delete(room);
    }
    this.#busy.delete(room);
  }
}
