// Who is online or away, as the server tells it; whoever was never mentioned is offline. With it goes
// what is just as short-lived: who is typing where.

import { Emitter } from "../lib/emitter.js";

const TYPING_MS = 5_000;

export class Presence extends Emitter {
  #users = new Map(); // user id → { status, last_seen }
  #typing = new Map(); // room id → Map(user id → timer)

  statusOf(userId) {
    return this.#users.get(userId)?.status ?? "offline";
  }

  lastSeen(userId) {
    return this.#users.get(userId)?.last_seen ?? null;
  }

  knows(userId) {
    return this.#users.has(userId);
  }

  /** Everyone who is online or away, by id. */
  present() {
    const present = [...this.#users].filter(([, { status }]) => status !== "offline");
    return present.map(([id]) => id);
  }

  /**
   * From a list over HTTP: when those were last seen whom nobody has mentioned yet. Who comes and goes
   * is told by events alone, since a list may be older than they.
   */
  learn(people) {
    for (const { id, user_id = id, last_seen } of people)
      if (last_seen && !this.knows(user_id))
        this.#users.set(user_id, { status: "offline", last_seen });
  }

  /** After a new connection nothing known before is certain. */
  replaceAll(users) {
    this.#users.clear();
    this.update(users);
  }

  update(users) {
    for (const { user_id, status, last_seen } of users) {
      this.#users.set(user_id, { status, last_seen });
      if (status === "offline") this.#stopEverywhere(user_id);
    }
    this.emit("change");
  }

  typingIn(room) {
    return [...(this.#typing.get(room)?.keys() ?? [])];
  }

  typed(room, userId) {
    if (!this.#typing.has(room)) this.#typing.set(room, new Map());
    const typists = this.#typing.get(room);
    clearTimeout(typists.get(userId));
    typists.set(
      userId,
      setTimeout(() => this.stopped(room, userId), TYPING_MS),
    );
    this.emit("typing", room);
  }

  /** The line came, or nothing did for a while. */
  stopped(room, userId) {
    const typists = this.#typing.get(room);
    if (!typists?.has(userId)) return;
    clearTimeout(typists.get(userId));
    typists.delete(userId);
    if (typists.size === 0) this.#typing.delete(room);
    this.emit("typing", room);
  }

  #stopEverywhere(userId) {
    for (const room of [...this.#typing.keys()]) this.stopped(room, userId);
  }
}
