// Above the lines: which room this is, who is typing in it, and the ways to its settings and members.

import { avatar } from "../lib/avatar.js";
import { $, coalesce, testId } from "../lib/dom.js";
import { presenceText } from "../lib/presence.js";
import { otherPerson } from "../models/rooms.js";

const AGES_MS = 15_000; // how often "5 minutes ago" is looked at again

export class RoomHead {
  #chat;
  #title = testId("room-title");
  #about = $("[data-room-about]");
  #avatar = $("[data-room-avatar]");
  #settings = $("[data-room-settings]");
  #count = $("[data-members-count]");
  #typing = testId("typing");
  #shown = "";
  #render = coalesce(() => this.#draw());

  constructor(chat, { openSettings }) {
    this.#chat = chat;
    this.#settings.addEventListener("click", openSettings);
    for (const model of [chat.rooms, chat.presence, chat.people, chat.members])
      model.on("change", this.#render);
    chat.presence.on("typing", this.#render);
    chat.on("room", () => this.#entered());
    setInterval(this.#render, AGES_MS);
  }

  #entered() {
    const other = otherPerson(this.#chat.room, this.#chat.me);
    if (other) this.#chat.findPresence(other.user_id);
    this.#draw();
  }

  #draw() {
    const { room } = this.#chat;
    if (!room) return;
    const group = room.kind !== "direct";
    const other = otherPerson(room, this.#chat.me);
    this.#title.textContent = room.name;
    this.#about.textContent = group ? aboutGroup(room) : this.#aboutPerson(other);
    this.#about.title = room.topic ?? "";
    this.#settings.hidden = !this.#chat.runs(room);
    this.#count.textContent = group ? this.#memberCount(room) || "" : "";
    this.#typing.textContent = this.#typists(room);
    this.#drawAvatar(room, group, other);
  }

  #memberCount(room) {
    const { members } = this.#chat;
    const listed = members.room === room.id && members.state === "ready";
    return listed ? members.list().length : room.member_count;
  }

  #drawAvatar(room, group, other) {
    const status = other && !other.deleted ? this.#chat.presence.statusOf(other.user_id) : null;
    const wanted = [room.id, room.name, status].join();
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    this.#avatar.replaceChildren(avatar(other?.user_id ?? room.id, room.name, { status, group }));
  }

  #aboutPerson(other) {
    if (!other) return "";
    if (other.deleted) return "This account was deleted";
    const { presence } = this.#chat;
    return presenceText(presence.statusOf(other.user_id), presence.lastSeen(other.user_id));
  }

  #typists(room) {
    const typists = this.#chat.presence.typingIn(room.id);
    const names = typists.map((id) => this.#chat.people.nameOf(id) ?? "Somebody");
    if (names.length === 0) return "";
    if (names.length === 1) return `${names[0]} is typing…`;
    if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
    return "Several people are typing…";
  }
}

function aboutGroup(room) {
  const kind = room.visibility === "public" ? "Public group" : "Private group";
  return room.topic || kind;
}
