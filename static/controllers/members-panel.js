// Who is in the open room and who of them is here now; for admins, also what to do about it. It
// slides over the conversation where there is no place beside it.

import { avatar } from "../lib/avatar.js";
import { $, coalesce, h, icon, testId } from "../lib/dom.js";
import { presenceText } from "../lib/presence.js";
import { exactly, moment } from "../lib/time.js";
import { mutedUntil, nextEnd } from "../models/mutes.js";
import { openAudit } from "./group-record.js";
import { leaveRoom } from "./hand-over.js";
import { MemberMenu } from "./member-menu.js";

const AGES_MS = 30_000; // how often "5 minutes ago" is looked at again
const SHOWN = 300; // rows drawn; a larger group says how many more there are

export class MembersPanel {
  #chat;
  #panel = $("#members");
  #list = testId("members");
  #note = $("[data-members-note]");
  #topic = $("[data-members-topic]");
  #foot = $("[data-members-foot]");
  #toggle = testId("members-toggle");
  #invite = testId("invite");
  #audit = testId("open-audit");
  #menu;
  #timer = 0; // until the next mute ends
  #render = coalesce(() => this.#draw());

  constructor(chat, dialogs) {
    this.#chat = chat;
    this.#toggle.addEventListener("click", () => this.#open(this.#panel.hidden));
    $("[data-members-close]").addEventListener("click", () => this.#open(false));
    this.#panel.addEventListener("keydown", (event) => event.key === "Escape" && this.#open(false));
    this.#invite.addEventListener("click", () => dialogs.invite(chat.room));
    this.#menu = new MemberMenu(chat, dialogs);
    this.#audit.addEventListener("click", () => openAudit(chat, chat.room));
    testId("leave").addEventListener("click", () => leaveRoom(chat, chat.room));
    for (const model of [chat.members, chat.presence, chat.rooms]) model.on("change", this.#render);
    chat.on("room", () => this.#follow());
    chat.on("panel", (name) => name !== "members" && !this.#panel.hidden && this.#hide());
    setInterval(this.#render, AGES_MS);
    chat.on("connected", () => chat.members.state === "failed" && this.#load());
  }

  #open(open) {
    if (!open) {
      this.#hide();
      return this.#toggle.focus();
    }
    this.#chat.emit("panel", "members");
    this.#panel.hidden = false;
    this.#toggle.setAttribute("aria-expanded", "true");
    this.#load();
  }

  /** The panel stays open from room to room, except where it covers the conversation. */
  #follow() {
    const { room, members } = this.#chat;
    if (this.#panel.hidden || room?.id === members.room) return;
    const covers = getComputedStyle(this.#panel).position !== "static";
    if (room && !covers) return this.#load();
    this.#hide();
  }

  #hide() {
    this.#panel.hidden = true;
    this.#toggle.setAttribute("aria-expanded", "false");
    this.#chat.members.close();
  }

  #load() {
    this.#list.replaceChildren();
    this.#chat.members.load(this.#chat.roomId);
  }

  #draw() {
    const { room, members } = this.#chat;
    if (this.#panel.hidden || !room || members.room !== room.id) return;
    const group = room.kind !== "direct";
    const all = members.list().sort((a, b) => this.#order(a, b));
    const focused = document.activeElement?.closest?.(".member")?.dataset.userId;
    this.#list.replaceChildren(...all.slice(0, SHOWN).map((member) => this.#member(member, room)));
    if (focused) $(`[data-user-id="${CSS.escape(focused)}"] button`, this.#list)?.focus();
    this.#note.textContent = note(members, all.length - SHOWN);
    this.#topic.hidden = !room.topic;
    this.#topic.textContent = room.topic ?? "";
    this.#foot.hidden = !group;
    this.#invite.hidden = this.#audit.hidden = !this.#chat.runs(room);
    this.#drawAtEndOf(members.list());
  }

  /** No event tells that a mute is over. */
  #drawAtEndOf(members) {
    clearTimeout(this.#timer);
    const wait = nextEnd(members);
    if (wait !== null) this.#timer = setTimeout(this.#render, wait + 1);
  }

  /** Those who are here first, then by name. */
  #order(a, b) {
    const here = (member) => (this.#status(member) === "offline" ? 1 : 0);
    return here(a) - here(b) || a.display_name.localeCompare(b.display_name);
  }

  #status(member) {
    return member.user_id === this.#chat.me && this.#chat.connected
      ? "online"
      : this.#chat.presence.statusOf(member.user_id);
  }

  #member(member, room) {
    const me = member.user_id === this.#chat.me;
    const status = this.#status(member);
    const muted = mutedUntil(member);
    return h(
      "li",
      { class: "member", "data-user-id": member.user_id, "data-status": status },
      h(
        "div",
        { class: "member-row" },
        avatar(member.user_id, member.display_name, { status: member.deleted ? null : status }),
        h(
          "span",
          { class: "person-names" },
          h("span", {}, member.display_name),
          h(
            "span",
            { class: "person-username" },
            room.kind !== "direct" &&
              member.role === "admin" &&
              h("span", { class: "role" }, "Admin"),
            member.deleted ? "Account deleted" : `@${member.username}${me ? " · you" : ""}`,
          ),
          muted && mutedMark(muted),
          !me && h("span", { class: "person-presence" }, this.#presence(member, status)),
        ),
        MemberMenu.hasAny(this.#chat, member, room) && this.#menuButton(member, room),
      ),
    );
  }

  #presence(member, status) {
    return presenceText(status, this.#chat.presence.lastSeen(member.user_id) ?? member.last_seen);
  }

  #menuButton(member, room) {
    const button = () => $(`[data-user-id="${CSS.escape(member.user_id)}"] button`, this.#list);
    const open = ({ currentTarget }) => this.#menu.open(member, room, currentTarget, button);
    return h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "data-testid": "member-menu",
        "aria-label": `What to do with ${member.display_name}`,
        "aria-haspopup": "menu",
        onclick: open,
      },
      icon("more"),
    );
  }
}

function mutedMark(until) {
  const attributes = { class: "person-muted", "data-testid": "muted-mark", title: exactly(until) };
  return h("span", attributes, icon("mute"), `Muted until ${moment(until)}`);
}

function note(members, more) {
  if (members.state === "loading" && members.list().length === 0) return "Loading…";
  if (members.state === "failed") return members.problem.detail;
  return more > 0 ? `and ${more} more` : "";
}
