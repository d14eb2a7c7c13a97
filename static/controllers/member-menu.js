// What can be done with a member, as a menu beside their row: for everyone a conversation, for those
// who run the group also what they may do about it. What cannot be taken back at once is asked first.

import { api, path } from "../lib/api.js";
import { h, icon } from "../lib/dom.js";
import { moment } from "../lib/time.js";
import { SPANS, mutedUntil } from "../models/mutes.js";
import { arrowKeys, openPopup } from "./popup.js";

export class MemberMenu {
  #chat;
  #dialogs;
  #popup = null;

  constructor(chat, dialogs) {
    this.#chat = chat;
    this.#dialogs = dialogs;
  }

  /** Whether there is anything to choose. */
  static hasAny(chat, member, room) {
    return room.kind !== "direct" && (member.user_id !== chat.me || chat.runs(room));
  }

  open(member, room, anchor, returnTo) {
    this.#popup?.close();
    const content = this.#items(member, room);
    const label = `What to do with ${member.display_name}`;
    const options = { content, label, role: "menu", className: "menu member-actions", returnTo };
    this.#popup = openPopup(anchor, options);
    const buttons = () => [...this.#popup.element.querySelectorAll("button")];
    this.#popup.element.addEventListener("keydown", (event) => arrowKeys(event, buttons));
    buttons()[0]?.focus();
  }

  #items(member, room) {
    const me = member.user_id === this.#chat.me;
    const runs = this.#chat.runs(room);
    const isAdmin = member.role === "admin";
    const place = path`/rooms/${room.id}/members/${member.user_id}`;
    const set = (role) => () => api.put(place, { role });
    return [
      !me && this.#item("message", "Message", "bubble", () => this.#dialogs.direct(member.user_id)),
      runs && isAdmin && this.#item("demote", "Make an ordinary member", "person", set("member")),
      runs && !isAdmin && this.#item("promote", "Make an admin", "star", set("admin")),
      runs && !isAdmin && this.#mute(member, `${place}/mute`),
      runs && !me && this.#asking("remove", "Remove from the group", "person-remove", member, room),
      runs && !me && this.#asking("ban", "Ban from the group", "ban", member, room),
    ].filter(Boolean);
  }

  #mute(member, place) {
    const until = mutedUntil(member);
    if (until) {
      const label = `Lift the mute, until ${moment(until)}`;
      return this.#item("unmute", label, "check", () => api.delete(place));
    }
    const spans = SPANS.map(({ minutes, label, spoken }) => {
      const attributes = { class: "span", "aria-label": `Mute for ${spoken}` };
      const mute = () => api.put(place, { minutes });
      return this.#button(`mute-${minutes}`, attributes, mute, label);
    });
    return h(
      "div",
      { class: "menu-spans", role: "group", "aria-label": "Mute" },
      h("span", { class: "menu-spans-label" }, icon("mute"), "Mute for"),
      h("span", { class: "spans" }, ...spans),
    );
  }

  #asking(name, label, symbol, member, room) {
    const ask = () => this.#dialogs.removeMember(room, member, { ban: name === "ban" });
    return this.#button(name, { class: "danger" }, ask, icon(symbol), label);
  }

  #item(name, label, symbol, act) {
    return this.#button(name, {}, act, icon(symbol), label);
  }

  #button(name, attributes, act, ...content) {
    const onclick = async () => {
      this.#popup.close();
      try {
        await act();
      } catch (problem) {
        this.#chat.emit("notice", problem.detail);
      }
    };
    const always = { type: "button", role: "menuitem", "data-testid": `member-${name}` };
    return h("button", { ...always, ...attributes, onclick }, ...content);
  }
}
