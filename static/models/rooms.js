// My rooms, as the sidebar shows them: what they are called, what was said last, how much is unread.
// Each room is the server's object of GET /rooms, kept up to date by the events that are later than
// its `position`; the earlier ones are already counted in it.

import { Emitter } from "../lib/emitter.js";
import { isLater, latest } from "../lib/position.js";
import { versionOf } from "./markers.js";

/** The fields that are the same for every member; `info` of an event may carry just these. */
const SHARED = ["kind", "name", "topic", "visibility", "member_count"];

export class Rooms extends Emitter {
  #me;
  #rooms = new Map();
  #touched = new Map(); // room id → when it came to us, to sort rooms without a line in them
  loaded = false;

  constructor(me) {
    super();
    this.#me = me;
  }

  get(id) {
    return this.#rooms.get(id);
  }

  /** The last active first. */
  sorted() {
    return [...this.#rooms.values()].sort((a, b) => {
      const [left, right] = [this.#activity(a), this.#activity(b)];
      return left === right ? a.name.localeCompare(b.name) : left < right ? 1 : -1;
    });
  }

  unreadTotal() {
    return [...this.#rooms.values()].reduce((sum, room) => sum + (room.unread ?? 0), 0);
  }

  /** The direct room with this person, if there is one. */
  directWith(userId) {
    return [...this.#rooms.values()].find(
      (room) => otherPerson(room, this.#me)?.user_id === userId,
    );
  }

  /**
   * Takes the server's list; answers the rooms of mine that it lacks. They stay: the list may be
   * behind, so whoever asked has to find out what became of them.
   */
  takeList(rooms) {
    const listed = new Set(rooms.map((room) => room.id));
    const missing = [...this.#rooms.values()].filter((room) => !listed.has(room.id));
    const all = [...rooms.map((room) => this.#merged(room)), ...missing];
    this.#rooms = new Map(all.map((room) => [room.id, room]));
    this.loaded = true;
    this.emit("change");
    return missing;
  }

  /** Takes one room from an answer of the server. */
  put(room) {
    if (!this.#rooms.has(room.id)) this.#touched.set(room.id, new Date().toISOString());
    this.#rooms.set(room.id, this.#merged(room));
    this.emit("change");
  }

  /** As `put`, but counted anew: whoever asked applies again what happened since it was asked. */
  recount(room) {
    if (!this.#rooms.has(room.id)) return this.put(room);
    this.#rooms.set(room.id, withDefaults(room));
    this.emit("change");
  }

  /** Somebody is called otherwise, or has deleted their account. */
  rename({ id, username, display_name, deleted = false }) {
    let changed = false;
    for (const [key, room] of this.#rooms) {
      const next = renamed(room, { id, username, display_name, deleted });
      if (otherPerson(next, this.#me)?.user_id === id) next.name = display_name;
      if (next !== room) this.#rooms.set(key, next);
      changed ||= next !== room;
    }
    if (changed) this.emit("change");
  }

  remove(id) {
    const room = this.#rooms.get(id);
    this.#rooms.delete(id);
    this.#touched.delete(id);
    if (room) this.emit("change");
    return room;
  }

  /** Applies an event of a room that is mine; one that the room already counts changes nothing. */
  apply(event) {
    const room = this.#rooms.get(event.room);
    if (!room) return;
    if (event.type === "read") return this.#readElsewhere(room, event);
    if (!event.position || !isLater(event.position, room.position)) return;
    room.position = event.position;
    const inDoubt = HANDLERS[event.type]?.(room, event, this.#me) === IN_DOUBT;
    this.emit("change");
    if (inDoubt) this.emit("uncertain", room.id);
  }

  /** I have read up to here. Answers whether that was news. */
  markRead(id, marker) {
    const room = this.#rooms.get(id);
    if (!room || versionOf(marker) < versionOf(room)) return false;
    if (!isLater(marker.read_position, room.read_position)) return false;
    room.read_position = marker.read_position;
    if (!isLater(room.last_message?.position, marker.read_position)) nothingUnread(room);
    this.emit("change");
    return true;
  }

  /** Moved by me on some device. An event without a version moves within the one that is known. */
  #readElsewhere(room, { user_id, read_position, read_version = versionOf(room) }) {
    if (user_id !== this.#me) return;
    if (read_version > versionOf(room))
      return this.#markedUnread(room, read_position, read_version);
    if (!this.markRead(room.id, { read_position, read_version })) return;
    if (room.unread === 0) this.emit("allRead", room.id);
    if (room.unread > 0) this.emit("uncertain", room.id); // read in part: only the server can count
  }

  /** Emits `unread` with the room's id, unless all of it was read again since. */
  #markedUnread(room, read_position, read_version) {
    Object.assign(room, { read_position, read_version });
    const allRead = !isLater(room.last_message?.position, read_position);
    if (allRead) nothingUnread(room);
    this.emit("change");
    if (allRead) return;
    this.emit("unread", room.id);
    this.emit("uncertain", room.id);
  }

  /** The server's room, whose counts may be older than what events told since. */
  #merged(room) {
    const known = this.#rooms.get(room.id);
    if (!known) return withDefaults(room);
    const merged = { ...known, ...withDefaults(room) };
    if (!isLater(known.position, room.position)) return merged;
    const { unread, mentions, last_message, read_position, read_version } = known;
    const { position, muted_until } = known;
    const counted = { unread, mentions, last_message, read_position, read_version };
    return { ...merged, ...counted, position, muted_until };
  }

  #activity(room) {
    const touched = this.#touched.get(room.id) ?? "";
    const said = room.last_message?.sent_at ?? "";
    return touched > said ? touched : said;
  }
}

/** What a handler answers when only the server can count now. */
const IN_DOUBT = Symbol("in doubt");

function nothingUnread(room) {
  room.unread = room.mentions = 0;
}

function isUnread(room, message, me) {
  return message.sender?.id !== me && isLater(message.position, room.read_position);
}

/** Whether an event is of a message that calls me. */
function calls({ mentions, mentions_all }, me) {
  return Boolean(mentions_all || mentions?.includes(me));
}

const HANDLERS = {
  message(room, event, me) {
    const { message } = event;
    room.last_message = message;
    if (message.sender.id === me) {
      nothingUnread(room);
      room.read_position = latest(room.read_position, message.position);
    } else if (isLater(message.position, room.read_position)) {
      room.unread += 1;
      if (calls(event, me)) room.mentions += 1;
    }
  },

  /** Whether it called me before is not told, where either may be so. */
  edited(room, event, me) {
    const { message } = event;
    if (room.last_message?.id === message.id) room.last_message = message;
    const mayCount = isUnread(room, message, me) && (room.mentions > 0 || calls(event, me));
    return mayCount ? IN_DOUBT : undefined;
  },

  deleted(room, { message }, me) {
    if (room.last_message?.id === message.id) room.last_message = message;
    if (!isUnread(room, message, me)) return undefined;
    room.unread = Math.max(0, room.unread - 1);
    if (room.unread === 0) room.mentions = 0;
    return room.mentions > 0 ? IN_DOUBT : undefined;
  },

  room_updated(room, { info }) {
    for (const field of SHARED) if (info?.[field] !== undefined) room[field] = info[field];
  },

  member_added(room, { member }, me) {
    room.member_count += 1;
    if (member.user_id === me) room.muted_until = member.muted_until ?? null;
  },

  member_updated(room, { member }, me) {
    if (member.user_id !== me) return;
    room.role = member.role;
    room.muted_until = member.muted_until ?? null;
  },

  member_removed(room) {
    room.member_count = Math.max(0, room.member_count - 1);
  },
};

function renamed(room, { id, ...names }) {
  const inIt = room.members?.some((member) => member.user_id === id);
  const last = room.last_message;
  if (!inIt && last?.sender.id !== id) return room;
  const sender = { id, username: names.username, display_name: names.display_name };
  const next =
    last?.sender.id === id ? { ...room, last_message: { ...last, sender } } : { ...room };
  if (inIt) {
    const member = { user_id: id, ...names };
    next.members = room.members.map((other) => (other.user_id === id ? member : other));
  }
  return next;
}

/** Whether this person administers the room: as one of its admins or, where that counts, the hub's. */
export function runs(room, hubAdmin) {
  if (room?.role === "admin") return room.kind !== "direct";
  return hubAdmin && room?.kind === "group" && room.visibility === "public";
}

/** In a direct room, the one who is not me. */
export function otherPerson(room, me) {
  if (room?.kind !== "direct") return undefined;
  return room.members?.find((member) => member.user_id !== me);
}

function withDefaults(room) {
  const defaults = {
    name: "",
    topic: "",
    unread: 0,
    mentions: 0,
    position: "0",
    member_count: 0,
    muted_until: null,
  };
  const given = Object.entries(room).filter(([, value]) => value !== null && value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}
