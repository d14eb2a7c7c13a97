// The members of the room whose panel is open: loaded once when it opens, then kept by events.

import { path } from "../lib/api.js";
import { Emitter } from "../lib/emitter.js";

export class Members extends Emitter {
  #api;
  #members = new Map();
  #load = 0;
  room = null;
  state = "empty"; // "loading" | "ready" | "failed"

  constructor(api) {
    super();
    this.#api = api;
  }

  list() {
    return [...this.#members.values()];
  }

  has(userId) {
    return this.#members.has(userId);
  }

  close() {
    this.#load++;
    this.room = null;
    this.state = "empty";
    this.#members.clear();
  }

  async load(room) {
    const load = ++this.#load;
    if (room !== this.room) this.#members.clear();
    this.room = room;
    this.state = "loading";
    const since = []; // events that come while the list is under way are newer than it
    this.since = since;
    this.emit("change");
    try {
      const { members } = await this.#api.get(path`/rooms/${room}/members`);
      if (load !== this.#load) return;
      this.#members = new Map(members.map((member) => [member.user_id, member]));
      for (const event of since) this.#take(event);
      this.state = "ready";
    } catch (problem) {
      if (load !== this.#load) return;
      this.state = "failed";
      this.problem = problem;
    }
    this.since = null;
    this.emit("change");
  }

  /** Somebody is called otherwise. */
  rename({ id, username, display_name, deleted }) {
    const member = this.#members.get(id);
    if (!member) return;
    this.#members.set(id, { ...member, username, display_name, deleted });
    this.emit("change");
  }

  apply(event) {
    if (event.room !== this.room || !event.type.startsWith("member_")) return;
    this.since?.push(event);
    this.#take(event);
    this.emit("change");
  }

  #take({ type, member }) {
    if (type === "member_removed") this.#members.delete(member.user_id);
    else if (type !== "member_banned") {
      // Without `muted_until` they are not muted any more.
      const known = { ...this.#members.get(member.user_id), muted_until: null };
      this.#members.set(member.user_id, { ...known, ...member });
    }
  }
}
