// What I wrote and the server has not confirmed yet. A line keeps its `client_id` through every try,
// so that however often it is sent, exactly one message comes of it. Lines of a room go out one after
// the other, in the order they were written; they outlive a lost connection and a reload of the page.
// A line that can never go stays, with the reason, until its author has copied or deleted it.

import { Backoff, pause } from "../lib/backoff.js";
import { Emitter } from "../lib/emitter.js";
import { Stored } from "../lib/stored.js";
import { MUTED_NOW } from "./mutes.js";

const UNKNOWN_PAUSE_MS = 1_500; // before asking again after "outcome unknown"
const FAST_PAUSE_MS = 1_000; // before going on after "too many messages"
const LEAST_PAUSE_MS = 1_000; // before going on after any other refusal that is temporary
const LOST = new Set(["not_connected", "connection_lost"]); // it waits for the next connection
const STATES = new Set(["pending", "failed"]);
const MOST = 200; // unconfirmed lines held; one more is not accepted

/** Emits `change` with a room's id, `sent` with the message, and `refused` with room and code. */
export class Outbox extends Emitter {
  #send;
  #stored;
  #lines = [];
  #busy = new Set(); // rooms whose lines are going out right now

  /** `send(line)` resolves with the message or rejects with a `CommandError`. */
  constructor({ me, send, storage }) {
    super();
    this.#send = send;
    this.#stored = new Stored(storage, `rookery.outbox.${me}`);
    this.#lines = this.#stored.load(isLine);
  }

  all() {
    return this.#lines;
  }

  of(room) {
    return this.#lines.filter((line) => line.room === room);
  }

  rooms() {
    return new Set(this.#lines.map((line) => line.room));
  }

  /**
   * Answers false when too much is waiting already. The room's name is for when the room is gone;
   * `quote` is of the message that it replies to.
   */
  add(room, body, { roomName = "", quote = null } = {}) {
    if (this.#lines.length >= MOST) return false;
    const writtenAt = new Date().toISOString();
    const line = { room, roomName, clientId: newClientId(), body, quote, writtenAt };
    this.#lines.push({ ...line, state: "pending", detail: "" });
    this.#changed(room);
    this.#pump(room);
    return true;
  }

  retry(clientId) {
    const line = this.#find(clientId);
    if (line?.state !== "failed") return;
    Object.assign(line, { state: "pending", detail: "" });
    this.#changed(line.room);
    this.#pump(line.room);
  }

  /** The message was seen, or the line is not wanted any more. */
  settle(clientId) {
    const line = this.#find(clientId);
    if (!line) return;
    this.#lines = this.#lines.filter((other) => other !== line);
    this.#changed(line.room);
  }

  /** What was meant for this room cannot go there any more: it is kept, with the reason. */
  fail(room, detail) {
    for (const line of this.of(room)) Object.assign(line, { state: "failed", detail });
    this.#changed(room);
  }

  /** Connected (again): everything that waits goes out. */
  flush() {
    for (const room of this.rooms()) this.#pump(room);
  }

  clear() {
    this.#lines = [];
    this.#stored.keep(this.#lines);
  }

  async #pump(room) {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    const backoff = new Backoff();
    try {
      for (let line; (line = this.of(room).find((each) => each.state === "pending"));) {
        if (!(await this.#deliver(line, backoff))) return;
      }
    } finally {
      this.#busy.delete(room);
    }
  }

  /** One try. Answers whether it makes sense to go on with the next line now. */
  async #deliver(line, backoff) {
    try {
      this.emit("sent", await this.#send(line));
      this.settle(line.clientId);
      backoff.reset();
    } catch (error) {
      if (LOST.has(error.code)) return false;
      if (line.state === "failed") return true; // meanwhile, and for a better reason
      if (error.unknown) await pause(UNKNOWN_PAUSE_MS);
      else if (error.code === "too_many_messages") await pause(FAST_PAUSE_MS);
      // It was not done, but can be: the lines behind it wait with it, or they would overtake it.
      else if (error.temporary) await pause(backoff.next(LEAST_PAUSE_MS));
      else {
        const detail = error.code === "muted" ? MUTED_NOW : error.detail;
        Object.assign(line, { state: "failed", detail });
        this.#changed(line.room);
        this.emit("refused", { room: line.room, code: error.code });
      }
    }
    return true;
  }

  #find(clientId) {
    return this.#lines.find((line) => line.clientId === clientId);
  }

  #changed(room) {
    this.#stored.keep(this.#lines);
    this.emit("change", room);
  }
}

function isLine(value) {
  const texts = [value?.room, value?.clientId, value?.body, value?.writtenAt];
  return texts.every((text) => typeof text === "string") && STATES.has(value.state);
}

/** Not `crypto.randomUUID`, which a page served over plain HTTP from another machine lacks. */
function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
