// The whole of what this page knows, and the one place where events meet models. Controllers ask the
// models here and call the few things a person can do; nothing else talks to the socket.

import { path } from "../lib/api.js";
import { Backoff, pause } from "../lib/backoff.js";
import { Emitter } from "../lib/emitter.js";
import { isLater } from "../lib/position.js";
import { tabStorage } from "../lib/stored.js";
import { Contacts } from "./contacts.js";
import { Composing } from "./composing.js";
import { Drafts } from "./drafts.js";
import { Members } from "./members.js";
import { MUTED_NOW } from "./mutes.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Presence } from "./presence.js";
import { Reading } from "./reading.js";
import { Receipts } from "./receipts.js";
import { Rooms, otherPerson, runs } from "./rooms.js";
import { Timeline } from "./timeline.js";

const TIMELINES = 20; // rooms whose lines are held; the one opened longest ago is let go first
const LEAST_PAUSE_MS = 300; // before a room that could not be had is asked for again
const MEMBERSHIP = new Set(["member_added", "member_removed"]); // a small room may become a large one
const NO_ROOM_OF_MINE = new Set(["not_found", "not_a_member"]); // answers that leave no doubt

/**
 * Emits `room` (the open one changed), `event`, `notice` with a text, `connected`, `panel` with the
 * name of the one that opens beside the conversation, `me` with my account as others see it,
 * `unread` with a room's id that was marked so, and `read` when everything was.
 */
export class Chat extends Emitter {
  #api;
  #socket;
  #timelines = new Map(); // room id → Timeline, the last opened at the end
  #seen = new Map(); // room id → the highest position seen: where to resume
  #named = new Set(); // rooms named in the hello under way: what they missed is yet to come
  #early = new Map(); // room id → events of a room that is being asked for
  #again = new Set(); // rooms that came into doubt again while they were asked for
  #hubAdmin = false;
  roomId = null;

  constructor({ me, username = "", displayName = username, receipts = {}, api, makeSocket }) {
    super();
    this.me = me;
    this.username = username;
    this.displayName = displayName;
    this.loggingOut = false;
    this.#api = api;
    this.rooms = new Rooms(me);
    this.people = new People(api);
    this.presence = new Presence();
    this.contacts = new Contacts({ api, presence: this.presence, me });
    this.members = new Members(api);
    this.mentionable = new Members(api);
    const storage = tabStorage();
    this.composing = new Composing({ me, storage });
    this.receipts = new Receipts({
      me,
      most: 0,
      wanted: false,
      ...receipts,
      api,
      people: this.people,
    });
    this.drafts = new Drafts({ me, storage });
    this.outbox = new Outbox({
      me,
      storage,
      send: async ({ room, clientId: client_id, body, quote }) => {
        const fields = { room, client_id, body, reply_to: quote?.id };
        const { message } = await this.#socket.command("send", fields);
        return { ...message, client_id };
      },
    });
    this.reading = new Reading(this.rooms, (...command) => this.#socket.command(...command));
    this.#socket = makeSocket(() => this.#resumeFrom());
    this.#socket.on("open", (hello) => this.#welcome(hello));
    this.#socket.on("event", (event) => this.#receive(event));
    this.outbox.on("sent", (message) => this.#sent(message));
    this.outbox.on("refused", ({ room, code }) => {
      if (NO_ROOM_OF_MINE.has(code) && this.rooms.get(room)) this.#lookAt(room);
    });
    this.rooms.on("uncertain", (room) => this.#lookAgain(room));
    this.rooms.on("allRead", (room) => this.reading.release(room));
    this.rooms.on("unread", (room) => this.#markedUnread(room));
  }

  get room() {
    return this.rooms.get(this.roomId);
  }

  /** Whether I administer this room. */
  runs(room) {
    return runs(room, this.#hubAdmin);
  }

  get connected() {
    return this.#socket.state === "open";
  }

  /** Shows this room (null: none). Its history is loaded the first time. */
  open(roomId) {
    this.reading.opened(roomId);
    this.roomId = roomId;
    const { timeline } = this;
    this.receipts.follow(this.room);
    if (timeline?.state === "empty" || timeline?.state === "failed") timeline.load();
    this.emit("room");
  }

  /** The open room's lines. */
  get timeline() {
    return this.room ? this.#timeline(this.roomId) : null;
  }

  /** My lines that were not sent and stand in no conversation, since their room is not mine. */
  stranded() {
    return this.rooms.loaded ? this.outbox.all().filter(({ room }) => !this.rooms.get(room)) : [];
  }

  /** Puts a line, maybe a reply, into the outbox of the open room; false when too much is waiting. */
  say(text) {
    const quote = this.composing.replyIn(this.roomId);
    const said = this.outbox.add(this.roomId, text, { roomName: this.room.name, quote });
    if (said && quote) this.composing.end(this.roomId);
    return said;
  }

  // What changes a message is done now or refused, and the answer is whether it was done: waiting
  // for a connection it would come as a surprise, to its author as well.

  edit(message, body) {
    return this.#do("edit", { message, body });
  }

  deleteMessage(message) {
    return this.#do("delete", { message });
  }

  react(message, emoji, on) {
    return this.#do("react", { message, emoji, on });
  }

  #do(type, fields) {
    return this.#try(this.#socket.command(type, fields));
  }

  async #try(done) {
    try {
      await done;
      return true;
    } catch (error) {
      this.emit("notice", whyNot(error));
      return false;
    }
  }

  /** Asks how present somebody is of whom nothing was told yet: on a large hub not all are. */
  async findPresence(userId) {
    if (!this.connected || this.presence.knows(userId)) return;
    const asked = this.#socket.command("presence", { users: [userId] });
    await asked.then(({ users }) => this.presence.update(users)).catch(() => {});
  }

  typing(room) {
    this.#socket.command("typing", { room }).catch(() => {});
  }

  /** Read up to `position`, if there is a connection; told to the server, which never goes back. */
  read(room, position) {
    if (this.connected) this.reading.read(room, position);
  }

  readEverything() {
    if (!this.connected) return;
    for (const room of this.rooms.sorted()) this.reading.readAll(room.id);
    this.emit("read");
  }

  /** A message of the open room, and all after it, are unread again; answers whether it was done. */
  markUnread({ position }) {
    return this.#try(this.reading.markUnread(this.roomId, position));
  }

  /** On this device or another. */
  #markedUnread(room) {
    if (room === this.roomId) this.reading.hold(room);
    this.emit("unread", room);
  }

  /** Switches read receipts on or off, for others and for me. Rejects with a `Problem`. */
  async switchReceipts(on) {
    const { user } = await this.#api.patch("/me", { read_receipts: on });
    this.receipts.switch(user.read_receipts, this.room);
  }

  /** A room as the server has it now; it becomes one of mine if I am a member. */
  async fetchRoom(id) {
    const { room } = await this.#api.get(path`/rooms/${id}`);
    if (room.role) this.#takeRoom(room);
    return room;
  }

  /** A room from the answer to making or joining it. */
  async entered(room) {
    if (room.role) this.#takeRoom(room);
    else await this.fetchRoom(room.id);
  }

  /** Removes a room from this page; the notice says why. What was still to be sent is kept. */
  left(id, notice) {
    const room = this.rooms.remove(id);
    this.#timelines.delete(id);
    this.#seen.delete(id);
    this.reading.forget(id);
    const unsent = this.outbox.of(id).length;
    if (unsent) this.outbox.fail(id, notice);
    if (room) this.emit("notice", unsent ? `${notice} ${notSent(unsent)}` : notice);
    if (id === this.roomId) this.emit("gone", id);
  }

  #timeline(roomId) {
    const timeline = this.#timelines.get(roomId) ?? this.#newTimeline(roomId);
    this.#timelines.delete(roomId);
    this.#timelines.set(roomId, timeline);
    if (this.#timelines.size > TIMELINES)
      this.#timelines.delete(this.#timelines.keys().next().value);
    return timeline;
  }

  #newTimeline(roomId) {
    return new Timeline(roomId, { api: this.#api, me: this.me });
  }

  /** Only rooms whose lines are held need what was missed; the others' counts come with hello. */
  #resumeFrom() {
    const held = [...this.#timelines.keys()].filter((room) => this.#seen.has(room));
    this.#named = new Set(held);
    return held.length
      ? Object.fromEntries(held.map((room) => [room, this.#seen.get(room)]))
      : null;
  }

  #welcome({ user, rooms }) {
    this.#hubAdmin = user.hub_admin === true;
    for (const room of rooms) {
      this.#learnFrom(room);
      // A named room's events from where it was are still to come: its place must not jump ahead.
      if (!this.#named.has(room.id)) this.#seen.set(room.id, room.position ?? "0");
    }
    const missing = this.rooms.takeList(rooms);
    for (const room of missing) this.#lookAt(room.id);
    this.reading.overlay();
    for (const [room, timeline] of this.#timelines) if (!this.#named.has(room)) timeline.load();
    this.emit("connected");
    this.open(this.roomId);
    this.receipts.load();
    this.#socket
      .command("presence", { all: true })
      .then(({ users }) => this.presence.replaceAll(users))
      .catch(() => {});
    this.reading.resume();
    this.outbox.flush();
  }

  #sent(message) {
    this.#timelines.get(message.room_id)?.add(message);
    this.discover(message.room_id); // it was sent, so the room is mine, whatever the list said
  }

  #receive(event) {
    if (event.type === "presence") return this.presence.update(event.users);
    if (event.type === "typing") return this.#typed(event);
    if (event.type === "reset") return this.#reset(event);
    if (event.type === "account") return this.receipts.switch(event.read_receipts, this.room);
    if (event.type === "user_updated") return this.#updated(event.user);
    if (event.position) {
      // Positions only grow, so one that is not later was seen before.
      if (this.#seen.has(event.room) && !isLater(event.position, this.#seen.get(event.room)))
        return;
      this.#seen.set(event.room, event.position);
    }
    this.#early.get(event.room)?.push(event);
    this.#settle(event);
    this.members.apply(event);
    this.mentionable.apply(event);
    this.composing.apply(event);
    this.#timelines.get(event.room)?.apply(event);
    this.receipts.apply(event);
    this.#applyToRooms(event);
    this.emit("event", event);
  }

  /** Rooms come and go by events that are news to the list; the others are counted in it already. */
  #applyToRooms(event) {
    const known = this.rooms.get(event.room);
    const news = !known || isLater(event.position, known.position);
    this.rooms.apply(event);
    if (event.room === this.roomId && MEMBERSHIP.has(event.type)) this.receipts.follow(this.room);
    if (news) HANDLERS[event.type]?.call(this, event);
  }

  /** Somebody has another name or picture, or no account any more. */
  #updated(user) {
    this.people.take(user);
    this.rooms.rename(user);
    for (const members of [this.members, this.mentionable]) members.rename(user);
    for (const timeline of this.#timelines.values()) timeline.rename(user);
    if (user.id === this.me) this.emit("me", user);
    if (otherPerson(this.room, this.me)?.user_id === user.id) this.emit("room");
  }

  #typed({ room, user_id }) {
    if (user_id !== this.me) this.presence.typed(room, user_id);
  }

  /** Too much was missed to be told one by one: look at the room anew. */
  #reset({ room, position }) {
    this.#seen.set(room, position);
    this.#lookAt(room);
    this.#timelines.get(room)?.load();
    if (this.receipts.room === room) this.receipts.load();
    for (const members of [this.members, this.mentionable])
      if (members.room === room) members.load(room);
  }

  #settle({ type, message }) {
    if (type !== "message") return;
    if (message.sender.id === this.me) this.reading.release(message.room_id);
    this.people.learn(message.sender.id, message.sender.display_name);
    this.presence.stopped(message.room_id, message.sender.id);
    if (message.sender.id === this.me && message.client_id) this.outbox.settle(message.client_id);
  }

  #takeRoom(room, { anew = false } = {}) {
    this.#learnFrom(room);
    if (anew) this.rooms.recount(room);
    else this.rooms.put(room);
    const early = this.#early.get(room.id)?.splice(0) ?? [];
    for (const event of early) this.#applyToRooms(event);
    this.reading.overlay();
    if (room.id === this.roomId && this.room) this.open(room.id);
  }

  #learnFrom(room) {
    for (const member of room.members ?? []) this.people.learn(member.user_id, member.display_name);
    const sender = room.last_message?.sender;
    if (sender) this.people.learn(sender.id, sender.display_name);
  }

  /** I seem to be in a room that this page does not know. */
  discover(id) {
    if (!this.rooms.get(id)) this.#lookAt(id);
  }

  /** Its counts are in doubt; if it is being asked for, the answer may not know why. */
  #lookAgain(id) {
    if (this.#early.has(id)) this.#again.add(id);
    else this.#lookAt(id);
  }

  /** Finds out whether this room is mine and how it is now, and keeps what happens meanwhile. */
  async #lookAt(id) {
    if (this.#early.has(id)) return;
    const room = await this.#askFor(id);
    if (room?.role) this.#takeRoom(room, { anew: true });
    else if (room) this.#noLongerIn(id);
    this.#early.delete(id);
    if (this.#again.delete(id) && this.rooms.get(id)) this.#lookAt(id);
  }

  /** Asks until there is an answer or no connection; null is no answer. */
  async #askFor(id) {
    const backoff = new Backoff();
    do {
      this.#early.set(id, []); // what came before is counted in the answer to come
      try {
        return (await this.#api.get(path`/rooms/${id}`)).room;
      } catch (problem) {
        if (NO_ROOM_OF_MINE.has(problem.code)) return { id };
        if (isRefusal(problem)) return null;
      }
      await pause(backoff.next(LEAST_PAUSE_MS));
    } while (this.connected);
    return null;
  }

  #noLongerIn(id) {
    const room = this.rooms.get(id);
    if (room) this.left(id, `You are no longer in “${room.name}”.`);
  }

  roomCreated(info) {
    if (info?.role) this.#takeRoom(info);
    else if (info) this.discover(info.id);
  }
}

export function notSent(count) {
  return count === 1 ? "1 message was not sent." : `${count} messages were not sent.`;
}

/** Why a change was not made, for a notice. */
function whyNot({ code, detail, unknown }) {
  if (code === "not_connected")
    return "Not connected, so nothing was changed. Please try again later.";
  if (unknown) return "The connection was lost on the way. Please look whether it was changed.";
  if (code === "muted") return MUTED_NOW;
  if (code === "message_deleted") return "This message was deleted meanwhile.";
  return detail;
}

/** A plain no; a server in trouble or out of reach is worth asking again. */
function isRefusal({ status = 0, temporary = false }) {
  return status >= 400 && status < 500 && !temporary;
}

/** What an event means beyond the models: rooms that come and go. */
const HANDLERS = {
  message({ room }) {
    this.discover(room);
  },

  room_created({ info }) {
    this.roomCreated(info);
  },

  room_deleted({ room, by }) {
    const name = this.rooms.get(room)?.name;
    this.left(room, by === this.me ? `“${name}” is deleted.` : `“${name}” was deleted.`);
  },

  member_added({ room, member }) {
    this.people.learn(member.user_id, member.display_name);
    if (member.user_id === this.me) this.discover(room);
  },

  member_removed({ room, member, by }) {
    if (member.user_id !== this.me) return;
    const name = this.rooms.get(room)?.name;
    this.left(room, by === this.me ? `You left “${name}”.` : `You were removed from “${name}”.`);
  },
};
