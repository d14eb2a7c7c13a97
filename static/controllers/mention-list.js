// Who may be meant by the `@` that is being typed: a list over the composer, gone through with the
// arrow keys and chosen from with Enter, Tab or the mouse, while the writing goes on.

import { avatar } from "../lib/avatar.js";
import { h, testId } from "../lib/dom.js";
import { ALL, begunAt, matching } from "../models/mentions.js";

const SHOWN = 8;
const EVERYONE = { user_id: ALL, username: ALL, display_name: "Everyone in the group" };

export class MentionList {
  #chat;
  #box;
  #list = testId("mention-list");
  #found = [];
  #at = 0; // which of them Enter would choose
  #refused = null; // where the `@` stands of which nothing was wanted

  constructor(chat, box) {
    this.#chat = chat;
    this.#box = box;
    box.addEventListener("input", () => this.#look());
    box.addEventListener("click", () => this.#look());
    box.addEventListener("blur", () => this.close());
    chat.mentionable.on("change", () => this.#look());
    chat.on("room", () => chat.roomId !== chat.mentionable.room && this.close());
    // Choosing takes no focus from the box.
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  close() {
    this.#found = [];
    this.#draw();
  }

  /** Answers whether the key was meant for the list. */
  key(event) {
    if (this.#list.hidden || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = this.#found.length;
    if (step) {
      this.#at = (this.#at + step + count) % count;
      this.#draw();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") {
      this.#choose(this.#found[this.#at]);
    } else if (event.key === "Escape") {
      this.#refused = this.#begun()?.at ?? null;
      this.close();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  #begun() {
    const { value, selectionStart, selectionEnd } = this.#box;
    return selectionStart === selectionEnd ? begunAt(value, selectionStart) : null;
  }

  #look() {
    const { mentionable, roomId } = this.#chat;
    const begun = document.activeElement === this.#box ? this.#begun() : null;
    if (!begun || begun.at !== this.#refused) this.#refused = null;
    if (!begun || this.#refused !== null) return this.close();
    const asked = mentionable.room === roomId && mentionable.state !== "failed";
    if (!asked) mentionable.load(roomId);
    const found = mentionable.room === roomId ? this.#matching(begun.query) : [];
    if (found[this.#at]?.user_id !== this.#found[this.#at]?.user_id) this.#at = 0;
    this.#found = found;
    this.#draw();
  }

  /** The others here, and at last everyone at once, for who may call them so. */
  #matching(query) {
    const { mentionable, me, room } = this.#chat;
    const others = mentionable.list().filter(({ user_id }) => user_id !== me);
    const mayCallAll = room?.role === "admin" && room.kind !== "direct";
    return [
      ...matching(others, query, SHOWN),
      ...(mayCallAll ? matching([EVERYONE], query, 1) : []),
    ];
  }

  #choose({ username }) {
    const begun = this.#begun();
    if (!begun) return this.close();
    const end = this.#box.selectionStart;
    this.#box.setRangeText(`@${username} `, begun.at, end, "end");
    this.close();
    this.#box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #draw() {
    const open = this.#found.length > 0;
    this.#list.hidden = !open;
    this.#list.replaceChildren(...this.#found.map((member, index) => this.#option(member, index)));
    if (open) this.#box.setAttribute("aria-activedescendant", `mention-${this.#at}`);
    else this.#box.removeAttribute("aria-activedescendant");
    this.#list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  #option(member, index) {
    const everyone = member.user_id === ALL;
    return h(
      "div",
      {
        class: "mention-option",
        role: "option",
        id: `mention-${index}`,
        "data-username": member.username,
        "aria-selected": String(index === this.#at),
        onclick: () => this.#choose(member),
      },
      avatar(member.user_id, member.display_name, { group: everyone }),
      h("span", { class: "mention-name" }, member.display_name),
      h("span", { class: "person-username" }, `@${member.username}`),
    );
  }
}
