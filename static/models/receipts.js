// How far the others in the open room have read, if it is a small one and I want to know (and let
// them know): loaded when it is opened, then kept by events. Whoever says something has read up to it.

import { path } from "../lib/api.js";
import { Emitter } from "../lib/emitter.js";
import { compare, latest } from "../lib/position.js";

export class Receipts extends Emitter {
  #me;
  #most;
  #api;
  #people;
  #read = new Map(); // user id → { position, joinedAt }
  #joined = new Map(); // user id → when, of those who came while the room was looked at
  #since = null; // events that came while the list is under way
  #load = 0;
  room = null;

  /** `most` is how many members a small room has; `wanted`, whether I want to know. */
  constructor({ me, most, wanted, api, people }) {
    super();
    this.wanted = wanted;
    this.#me = me;
    this.#most = most;
    this.#api = api;
    this.#people = people;
  }

  /** Looks at this room (null: none), where it is not looked at already. */
  follow(room) {
    const wanted = this.wanted && room && room.member_count <= this.#most ? room.id : null;
    if (wanted === this.room) return;
    this.room = wanted;
    this.#read.clear();
    this.load();
  }

  async load() {
    const load = ++this.#load;
    const { room } = this;
    this.emit("change");
    if (!room) return;
    const since = (this.#since = []);
    try {
      const { members } = await this.#api.get(path`/rooms/${room}/members`);
      if (load !== this.#load) return;
      for (const member of members) this.#people.learn(member.user_id, member.display_name);
      this.#read = new Map(members.filter(isTold).map((member) => [member.user_id, told(member)]));
      for (const event of since) this.#take(event);
    } catch {
      // They are an extra: without them the page works, and the next event is told anyway.
    }
    if (load === this.#load) this.#since = null;
    this.emit("change");
  }

  /** I have switched them on or off, here or elsewhere. */
  switch(wanted, room) {
    this.wanted = wanted;
    this.follow(room);
  }

  apply(event) {
    if (event.room !== this.room || !this.room) return;
    this.#since?.push(event);
    this.#take(event);
    this.emit("change");
  }

  #take(event) {
    const { type, user_id, member, message } = event;
    if (type === "read") this.#move(user_id, event.read_position);
    else if (type === "message" && this.#read.has(message.sender.id))
      this.#move(message.sender.id, message.position);
    else if (type === "member_added") this.#joined.set(member.user_id, member.joined_at);
    else if (type === "member_removed") this.#read.delete(member.user_id);
  }

  #move(user, position) {
    const known = this.#read.get(user);
    const joinedAt = known?.joinedAt ?? this.#joined.get(user) ?? "";
    this.#read.set(user, { position: latest(known?.position, position), joinedAt });
  }

  /**
   * Who has read up to which of these messages, in order: message id → user ids. Only the newest
   * counts for each person; what they said themselves shows that they have read what was before.
   */
  seen(messages, { hasNewer = false } = {}) {
    const seen = new Map();
    for (const [user, { position, joinedAt }] of this.#read) {
      if (user === this.#me) continue;
      const at = messages.findLastIndex((message) => compare(message.position, position) <= 0);
      const message = messages[at];
      // Further down, where the lines held do not reach.
      if (!message || (hasNewer && at === messages.length - 1)) continue;
      if (message.sender.id === user || message.sent_at < joinedAt) continue;
      seen.set(message.id, [...(seen.get(message.id) ?? []), user]);
    }
    return seen;
  }
}

function isTold(member) {
  return member.read_position !== undefined;
}

function told({ read_position, joined_at }) {
  return { position: read_position, joinedAt: joined_at ?? "" };
}
