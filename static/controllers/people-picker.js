// Finding people by typing a name: what is already there is filtered at once, and the directory's
// answer follows. Either one is picked and that is all, or several are gathered as chips.

import { api } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { h, icon } from "../lib/dom.js";

const PAUSE_MS = 160; // after the last key, before the directory is asked
const SHOWN = 20;

export class PeoplePicker {
  #chat;
  #pick;
  #without;
  #found = []; // the directory's last answer
  #answered = ""; // the query it answers
  #failed = null;
  #timer = 0;
  #asked = 0;
  #several;
  picked = new Map(); // user id → user

  #input = h("input", {
    type: "search",
    "data-testid": "dialog-people",
    placeholder: "Type a name",
    autocomplete: "off",
    autofocus: true,
    spellcheck: "false",
    "aria-label": "Find people by name",
    "aria-controls": "people-results",
  });
  #chips = h("div", { class: "chips" });
  #results = h("ul", { class: "people", id: "people-results", "aria-label": "People" });
  #note = h("p", { class: "people-note", "aria-live": "polite" });

  /** `pick(user)` makes it a choice of one; without it people are gathered in `picked`. */
  constructor(chat, { pick = null, without = () => false } = {}) {
    this.#chat = chat;
    this.#pick = pick;
    this.#several = !pick;
    this.#without = without;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#results.addEventListener("keydown", (event) => this.#key(event));
    this.#ask();
  }

  get content() {
    return h(
      "div",
      { class: "picker" },
      this.#several && this.#chips,
      this.#input,
      this.#results,
      this.#note,
    );
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
    this.#draw();
  }

  async #ask() {
    const asked = ++this.#asked;
    const query = this.#query();
    try {
      const { users } = await api.get("/users", { query, limit: SHOWN });
      if (asked !== this.#asked) return;
      [this.#found, this.#answered, this.#failed] = [users, query, null];
    } catch (problem) {
      if (asked !== this.#asked) return;
      this.#failed = problem;
    }
    this.#draw();
  }

  #query() {
    return this.#input.value.trim();
  }

  #draw() {
    const query = this.#query().toLocaleLowerCase();
    const upToDate = this.#answered.toLocaleLowerCase() === query;
    const shown = this.#found
      .filter((user) => user.id !== this.#chat.me && !this.#without(user.id))
      .filter((user) => upToDate || matches(user, query));
    const focused = document.activeElement?.dataset?.personId;
    this.#results.replaceChildren(...shown.map((user) => h("li", {}, this.#person(user))));
    if (focused) this.#results.querySelector(`[data-person-id="${CSS.escape(focused)}"]`)?.focus();
    this.#chips.replaceChildren(...[...this.picked.values()].map((user) => this.#chip(user)));
    if (this.#failed) this.#note.textContent = this.#failed.detail;
    else if (shown.length) this.#note.textContent = "";
    else if (!upToDate) this.#note.textContent = "Searching…";
    else this.#note.textContent = query ? "Nobody found." : "Type a name to find somebody.";
  }

  #person(user) {
    const chosen = this.picked.has(user.id);
    const status = this.#chat.presence.statusOf(user.id);
    return h(
      "button",
      {
        type: "button",
        class: "person",
        "data-person-id": user.id,
        "data-status": status,
        "aria-pressed": this.#several ? String(chosen) : null,
        onclick: () => this.#choose(user),
      },
      avatar(user.id, user.display_name, { status }),
      h(
        "span",
        { class: "person-names" },
        h("span", {}, user.display_name),
        h("span", { class: "person-username" }, `@${user.username}`),
      ),
      chosen && icon("check"),
    );
  }

  #chip(user) {
    return h(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-label": `Leave out ${user.display_name}`,
        onclick: () => this.#choose(user),
      },
      user.display_name,
      icon("close"),
    );
  }

  #choose(user) {
    this.#chat.people.learn(user.id, user.display_name);
    if (!this.#several) return this.#pick(user);
    if (!this.picked.delete(user.id)) this.picked.set(user.id, user);
    this.#draw();
    if (document.activeElement === this.#input) this.#input.select(); // ready for the next name
  }

  /** Arrow keys walk from the field through the results; Enter in the field takes the first. */
  #key(event) {
    const people = [...this.#results.querySelectorAll(".person")];
    const at = people.indexOf(document.activeElement);
    if (event.key === "ArrowDown") people[at + 1]?.focus();
    else if (event.key === "ArrowUp") (people[at - 1] ?? this.#input).focus();
    else if (event.key === "Enter" && at < 0) {
      if (this.#query()) people[0]?.click();
    } else return;
    event.preventDefault();
  }
}

function matches(user, query) {
  return [user.display_name, user.username].some((name) =>
    name.toLocaleLowerCase().includes(query),
  );
}
