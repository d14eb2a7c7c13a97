// The contacts: everyone on this hub, found by typing, with those who are here now on top. It keeps
// itself true while it is looked at.

import { avatar } from "../lib/avatar.js";
import { $, arrange, coalesce, h, testId } from "../lib/dom.js";
import { presenceText } from "../lib/presence.js";

const PAUSE_MS = 160; // after the last key, before the directory is asked
const REFRESH_MS = 30_000; // who signs up without coming here is seen by asking again
const STRANGERS_MS = 500; // somebody unknown came: ask who, but not for each of a crowd
const NEAR_END = 400; // pixels before the end at which the next page is asked for

export class ContactsView {
  #chat;
  #dialogs;
  #section = $("[data-stage='contacts']");
  #input = testId("contacts-search");
  #scroller = $("[data-contacts-scroll]");
  #note = $("[data-contacts-note]");
  #link = testId("contacts-open");
  #lists = { here: testId("contacts-here"), others: testId("contacts-others") };
  #rows = new Map(); // list and user id → { item, signature }
  #shown = false;
  #timers = { search: 0, refresh: 0, strangers: 0 };
  #render = coalesce(() => this.#shown && this.#draw());

  constructor(chat, dialogs) {
    this.#chat = chat;
    this.#dialogs = dialogs;
    this.#input.addEventListener("input", () => this.#typed());
    this.#section.addEventListener("keydown", (event) => this.#key(event));
    this.#scroller.addEventListener("scroll", () => this.#reachEnd(), { passive: true });
    document.addEventListener("visibilitychange", () => this.#refresh());
    chat.contacts.on("change", this.#render);
    chat.presence.on("change", () => this.#presenceChanged());
    chat.on("connected", () => this.#refresh());
    setInterval(() => this.#refresh(), REFRESH_MS);
  }

  show() {
    if (this.#shown) return;
    this.#shown = true;
    this.#link.setAttribute("aria-current", "page");
    if (this.#chat.contacts.state === "empty") this.#chat.contacts.search("");
    else this.#refresh();
    this.#draw();
    if (matchMedia("(hover: hover)").matches) this.#input.focus({ preventScroll: true });
  }

  hide() {
    this.#shown = false;
    this.#link.removeAttribute("aria-current");
  }

  #typed() {
    clearTimeout(this.#timers.search);
    this.#timers.search = setTimeout(() => {
      this.#scroller.scrollTop = 0;
      this.#chat.contacts.search(this.#input.value.trim());
    }, PAUSE_MS);
  }

  #refresh() {
    if (this.#shown && !document.hidden) this.#chat.contacts.refresh();
  }

  #presenceChanged() {
    this.#render();
    if (!this.#shown || this.#timers.strangers) return;
    this.#timers.strangers = setTimeout(() => {
      this.#timers.strangers = 0;
      this.#chat.contacts.learn();
    }, STRANGERS_MS);
  }

  #reachEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    if (scrollTop + clientHeight > scrollHeight - NEAR_END && !this.#chat.contacts.moreFailed)
      this.#chat.contacts.more();
  }

  #draw() {
    const { contacts } = this.#chat;
    const here = contacts.here();
    const others = contacts.others();
    const used = new Set();
    this.#list("here", here, contacts.hereCount(), used);
    this.#list("others", others, others.length, used);
    const heading = contacts.query ? "Found" : here.length ? "Everyone else" : "Everyone";
    $("[data-heading]", this.#lists.others.parentElement).textContent = heading;
    for (const key of this.#rows.keys()) if (!used.has(key)) this.#rows.delete(key);
    this.#note.replaceChildren(...this.#notes(here, others));
    this.#reachEnd();
  }

  #list(name, users, count, used) {
    const list = this.#lists[name];
    const focused = document.activeElement?.closest?.("[data-person-id]");
    list.parentElement.hidden = users.length === 0;
    if (name === "here")
      $("[data-here-count]").textContent =
        count > users.length ? `${users.length} of ${count}` : count;
    arrange(
      list,
      users.map((user) => this.#row(name, user, used)),
    );
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  #row(list, user, used) {
    const key = `${list} ${user.id}`;
    used.add(key);
    const { presence } = this.#chat;
    const status = presence.statusOf(user.id);
    const text = presenceText(status, presence.lastSeen(user.id));
    const signature = JSON.stringify([user.display_name, user.username, user.avatar, status, text]);
    const known = this.#rows.get(key);
    if (known?.signature === signature) return known.item;
    const item = known?.item ?? h("li", {});
    const button = item.firstChild ?? this.#button(user.id);
    button.dataset.status = status;
    button.replaceChildren(
      avatar(user.id, user.display_name, { status }),
      h(
        "span",
        { class: "person-names" },
        h("span", {}, user.display_name),
        h("span", { class: "person-username" }, `@${user.username}`),
      ),
      h("span", { class: "contact-presence" }, text),
    );
    if (!item.firstChild) item.append(button);
    this.#rows.set(key, { item, signature });
    return item;
  }

  #button(userId) {
    const onclick = async () => {
      try {
        await this.#dialogs.direct(userId);
      } catch (problem) {
        this.#chat.emit("notice", problem.detail);
      }
    };
    return h("button", { type: "button", class: "person", "data-person-id": userId, onclick });
  }

  #notes(here, others) {
    const { contacts } = this.#chat;
    if (contacts.state === "failed") return [contacts.problem.detail];
    if (contacts.state !== "ready") return here.length + others.length ? [] : ["Loading…"];
    if (contacts.loadingMore) return ["Loading…"];
    if (contacts.moreFailed) {
      const again = () => contacts.more();
      const button = h("button", { type: "button", class: "link-button", onclick: again }, "Again");
      return ["The rest could not be loaded. ", button];
    }
    if (here.length + others.length > 0 || contacts.hasMore) return [];
    return [
      contacts.query
        ? "Nobody is called like that."
        : "Nobody else is here yet. Whoever signs up appears by themselves.",
    ];
  }

  /** Arrow keys walk from the field through the people; Enter in the field takes the first. */
  #key(event) {
    const people = [...this.#section.querySelectorAll(".person")];
    const at = people.indexOf(document.activeElement);
    const inField = document.activeElement === this.#input;
    if (event.key === "ArrowDown" && (inField || at >= 0)) people[at + 1]?.focus();
    else if (event.key === "ArrowUp" && at >= 0) (people[at - 1] ?? this.#input).focus();
    else if (event.key === "Enter" && inField && this.#input.value.trim()) people[0]?.click();
    else return;
    event.preventDefault();
  }
}
