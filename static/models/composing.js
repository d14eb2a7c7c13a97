// What the composer is about, besides a new line: a reply to a message, or a change to one of mine.
// One for each room; like a draft it waits there, and outlives a reload of the page.

import { Emitter } from "../lib/emitter.js";
import { Stored, isEntry } from "../lib/stored.js";
import { quoteOf } from "./timeline.js";

const isAbout = (value) => isEntry(value) && typeof value[1]?.message?.id === "string";

/** Emits `change` with a room's id. */
export class Composing extends Emitter {
  #stored;
  #rooms; // room id → { kind: "reply" | "edit", message, text }

  constructor({ me, storage }) {
    super();
    this.#stored = new Stored(storage, `rookery.composing.${me}`);
    this.#rooms = new Map(this.#stored.load(isAbout));
  }

  /** `{ kind, message, text }`, where `text` is what an edit has come to; or null. */
  of(room) {
    return this.#rooms.get(room) ?? null;
  }

  /** What a new line replies to, as a quote; or null. */
  replyIn(room) {
    const now = this.of(room);
    return now?.kind === "reply" ? quoteOf(now.message) : null;
  }

  reply(room, message) {
    this.#set(room, { kind: "reply", message, text: "" });
  }

  edit(room, message) {
    this.#set(room, { kind: "edit", message, text: message.body });
  }

  /** The text of the edit under way. */
  typed(room, text) {
    const now = this.of(room);
    if (now?.kind !== "edit") return;
    now.text = text;
    this.#stored.keep([...this.#rooms]);
  }

  end(room) {
    if (this.#rooms.delete(room)) this.#changed(room);
  }

  /** What is being replied to may change or go meanwhile. */
  apply({ type, room, message }) {
    const now = this.of(room);
    const changes = type === "edited" || type === "deleted";
    if (changes && now?.message.id === message.id) this.#set(room, { ...now, message });
  }

  clear() {
    this.#rooms.clear();
    this.#stored.keep([...this.#rooms]);
  }

  #set(room, now) {
    this.#rooms.set(room, now);
    this.#changed(room);
  }

  #changed(room) {
    this.#stored.keep([...this.#rooms]);
    this.emit("change", room);
  }
}
