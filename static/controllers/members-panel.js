// Who is in the open room and who of them is here now; for admins, also what to do about it. It
// slides over the conversation where there is no place beside it.

import { api, path } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { $, coalesce, h, icon, testId } from "../lib/dom.js";
import { presenceText } from "../lib/presence.js";

const AGES_MS = 30_000; // how often "5 minutes ago" is looked at again
const SHOWN = 300; // rows drawn; a larger group says how many more there are

export class MembersPanel {
  #chat;
  #dialogs;
  #panel = $("#members");
  #list = testId("members");
  #note = $("[data-members-note]");
  #topic = $("[data-members-topic]");
  #foot = $("[data-members-foot]");
  #toggle = testId("members-toggle");
  #invite = testId("invite");
  #unfolded = null; // the member whose actions are shown
  #render = coalesce(() => this.#draw());

  constructor(chat, dialogs) {
    this.#chat = chat;
    this.#dialogs = dialogs;
    this.#toggle.addEventListener("click", () => this.#open(this.#panel.hidden));
    $("[data-members-close]").addEventListener("click", () => this.#open(false));
    this.#panel.addEventListener("keydown", (event) => event.key === "Escape" && this.#open(false));
    this.#invite.addEventListener("click", () => dialogs.invite(chat.room));
    testId("leave").addEventListener("click", () => dialogs.leave(chat.room));
    for (const model of [chat.members, chat.presence, chat.rooms]) model.on("change", this.#render);
    chat.on("room", () => this.#follow());
    setInterval(this.#render, AGES_MS);
    chat.on("connected", () => chat.members.state === "failed" && this.#load());
  }

  #open(open) {
    this.#panel.hidden = !open;
    this.#toggle.setAttribute("aria-expanded", String(open));
    if (open) this.#load();
    else {
      this.#chat.members.close();
      this.#toggle.focus();
    }
  }

  /** The panel stays open from room to room, except where it covers the conversation. */
  #follow() {
    const { room, members } = this.#chat;
    if (this.#panel.hidden || room?.id === members.room) return;
    const covers = getComputedStyle(this.#panel).position !== "static";
    if (room && !covers) return this.#load();
    this.#panel.hidden = true;
    this.#toggle.setAttribute("aria-expanded", "false");
    members.close();
  }

  #load() {
    this.#unfolded = null;
    this.#list.replaceChildren();
    this.#chat.members.load(this.#chat.roomId);
  }

  #draw() {
    const { room, members } = this.#chat;
    if (this.#panel.hidden || !room || members.room !== room.id) return;
    const group = room.kind !== "direct";
    const all = members.list().sort((a, b) => this.#order(a, b));
    const focused = document.activeElement?.closest?.("[data-user-id]")?.dataset.userId;
    this.#list.replaceChildren(...all.slice(0, SHOWN).map((member) => this.#member(member, room)));
    if (focused) $(`[data-user-id="${CSS.escape(focused)}"] button`, this.#list)?.focus();
    this.#note.textContent = note(members, all.length - SHOWN);
    this.#topic.hidden = !room.topic;
    this.#topic.textContent = room.topic ?? "";
    this.#foot.hidden = !group;
    this.#invite.hidden = room.role !== "admin";
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
    const unfolded = this.#unfolded === member.user_id;
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
          !me && h("span", { class: "person-presence" }, this.#presence(member, status)),
        ),
        (!me || room.role === "admin") &&
          room.kind !== "direct" &&
          this.#menuButton(member, unfolded),
      ),
      unfolded && this.#actions(member, room, me),
    );
  }

  #presence(member, status) {
    return presenceText(status, this.#chat.presence.lastSeen(member.user_id) ?? member.last_seen);
  }

  #menuButton(member, unfolded) {
    return h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "data-testid": "member-menu",
        "aria-label": `What to do with ${member.display_name}`,
        "aria-expanded": String(unfolded),
        onclick: () => {
          this.#unfolded = unfolded ? null : member.user_id;
          this.#draw();
        },
      },
      icon("more"),
    );
  }

  #actions(member, room, me) {
    const admin = room.role === "admin";
    const isAdmin = member.role === "admin";
    const role = isAdmin ? "member" : "admin";
    const setRole = () =>
      this.#try(() => api.put(path`/rooms/${room.id}/members/${member.user_id}`, { role }));
    const action = (name, label, onclick) =>
      h("button", { type: "button", class: "button small", "data-testid": name, onclick }, label);
    return h(
      "div",
      { class: "member-actions" },
      !me &&
        action("member-message", "Message", () =>
          this.#try(() => this.#dialogs.direct(member.user_id)),
        ),
      admin &&
        (isAdmin
          ? action("member-demote", "Make an ordinary member", setRole)
          : action("member-promote", "Make an admin", setRole)),
      admin &&
        !me &&
        action("member-remove", "Remove from the group", () =>
          this.#dialogs.removeMember(room, member),
        ),
    );
  }

  async #try(action) {
    try {
      await action();
      this.#unfolded = null;
      this.#render();
    } catch (problem) {
      this.#chat.emit("notice", problem.detail);
    }
  }
}

function note(members, more) {
  if (members.state === "loading" && members.list().length === 0) return "Loading…";
  if (members.state === "failed") return members.problem.detail;
  return more > 0 ? `and ${more} more` : "";
}
