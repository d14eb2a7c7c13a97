// Looking for what was said: a field, where to look, and what was found. The results stay while one
// is shown in its place, so that the next is a click away. On a phone they have the whole screen, and
// a button over the conversation leads back to them.

import { avatar } from "../lib/avatar.js";
import { $, arrange, coalesce, focusFirst, h, testId } from "../lib/dom.js";
import { brief, timeElement } from "../lib/time.js";
import { Search } from "../models/search.js";

const NEAR_PX = 400; // this near to the end of the list the next page is asked for

export class SearchPanel {
  #chat;
  #search;
  #show;
  #panel = $("#search");
  #input = testId("search-input");
  #list = testId("search-results");
  #note = testId("search-note");
  #more = $("[data-search-more]");
  #scroller = $("[data-search-scroll]");
  #here = testId("search-here");
  #everywhere = testId("search-everywhere");
  #toResults = testId("to-results");
  #openers = [testId("search-open"), testId("search-room")];
  #wide = true; // everywhere, not in the open conversation alone
  #current = null; // id of the message that is shown
  #opener = null;
  #covered = null; // the view that this one took the place of
  #items = new Map(); // message id → { item, signature }
  #render = coalesce(() => this.#draw());

  /** `show(roomId, messageId)` opens a room at a message. */
  constructor(chat, { api, show }) {
    this.#chat = chat;
    this.#show = show;
    this.#search = new Search({ api, me: chat.me });
    this.#search.on("change", this.#render);
    chat.rooms.on("change", this.#render);
    chat.on("event", (event) => this.#search.apply(event));
    chat.on("room", () => this.#followRoom());
    chat.on("connected", () => this.#search.refresh()); // what happened meanwhile was not told
    chat.on("panel", (name) => name !== "search" && this.close());

    const [everywhere, here] = this.#openers;
    everywhere.addEventListener("click", () => this.open(true, everywhere));
    here.addEventListener("click", () => this.open(false, here));
    this.#toResults.addEventListener("click", () => this.open(this.#wide, this.#toResults));
    $("[data-search-close]").addEventListener("click", () => this.close());
    this.#everywhere.addEventListener("click", () => this.#scope(true));
    this.#here.addEventListener("click", () => this.#scope(false));
    this.#input.addEventListener("input", () => this.#ask());
    this.#panel.addEventListener("keydown", (event) => this.#key(event));
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    document.addEventListener("keydown", (event) => this.#pageKey(event));
  }

  open(wide, opener = null) {
    this.#chat.emit("panel", "search");
    this.#opener = opener ?? document.activeElement;
    this.#panel.hidden = false;
    document.body.dataset.search = "";
    const { dataset } = document.body;
    if (dataset.view !== "search") this.#covered = dataset.view;
    dataset.view = "search"; // only a narrow screen cares
    this.#wide = wide || !this.#chat.room;
    this.#ask();
    this.#draw();
    this.#input.focus();
    this.#input.select();
  }

  close() {
    if (this.#panel.hidden) return;
    const hadFocus = this.#panel.contains(document.activeElement);
    this.#panel.hidden = true;
    delete document.body.dataset.search;
    if (document.body.dataset.view === "search") document.body.dataset.view = this.#covered;
    this.#toResults.hidden = true;
    if (hadFocus) focusFirst(this.#opener, testId("composer"), $(".stage"));
  }

  #scope(wide) {
    this.#wide = wide;
    this.#ask();
    this.#draw();
    this.#input.focus();
  }

  #ask() {
    this.#search.ask(this.#input.value, this.#wide ? null : this.#chat.roomId);
  }

  /** "In this conversation" means the one that is open now. */
  #followRoom() {
    if (this.#panel.hidden) return;
    if (!this.#chat.room) this.#wide = true;
    this.#ask();
    this.#render();
  }

  #draw() {
    if (this.#panel.hidden) return;
    const { room } = this.#chat;
    this.#here.disabled = !room;
    this.#here.setAttribute("aria-pressed", String(!this.#wide));
    this.#everywhere.setAttribute("aria-pressed", String(this.#wide));
    this.#toResults.hidden = this.#search.hits.length === 0;
    const items = this.#search.hits.map((message) => this.#item(message));
    const held = new Set(this.#search.hits.map(({ id }) => id));
    for (const id of this.#items.keys()) if (!held.has(id)) this.#items.delete(id);
    this.#keepingFocus(() => arrange(this.#list, items));
    this.#panel.classList.toggle("is-busy", this.#search.state === "loading");
    const told = this.#told();
    if (this.#note.textContent !== told) this.#note.textContent = told;
    this.#more.replaceChildren(...this.#after());
    this.#scrolled();
  }

  /** When the hit that has the focus goes, its neighbour gets it. */
  #keepingFocus(change) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement);
    change();
    if (at < 0 || buttons[at].isConnected) return;
    (this.#buttons()[Math.min(at, this.#buttons().length - 1)] ?? this.#input).focus();
  }

  #told() {
    const { state, text, hits, problem } = this.#search;
    const where = this.#wide ? "" : " in this conversation";
    if (state === "idle") return "Finds messages by their words, in any conversation of yours.";
    if (state === "short") return "Type a little more: a word, or how it begins.";
    if (state === "failed") return problem.detail;
    if (state === "loading") return hits.length ? "" : "Searching…";
    return hits.length ? "" : `Nothing found for “${text.trim()}”${where}.`;
  }

  /** What stands below the list. */
  #after() {
    const { state, loadingOlder, olderFailed } = this.#search;
    const button = (label, onclick) =>
      h("button", { type: "button", class: "button small", onclick }, label);
    if (state === "failed") return [button("Try again", () => this.#search.now())];
    if (state === "ready" && this.#search.hits.length === 0 && !this.#wide)
      return [button("Search everywhere", () => this.#scope(true))];
    if (olderFailed)
      return [
        h("p", { class: "search-problem" }, "Older messages could not be loaded."),
        button("Try again", () => this.#search.loadOlder()),
      ];
    return loadingOlder
      ? [h("span", { class: "spinner", role: "img", "aria-label": "Loading" })]
      : [];
  }

  #item(message) {
    const room = this.#chat.rooms.get(message.room_id);
    const facts = {
      room: room?.name ?? "A conversation",
      sender: message.sender.id === this.#chat.me ? "You" : message.sender.display_name,
      when: brief(message.sent_at),
      pieces: this.#search.excerpt(message),
      current: message.id === this.#current,
    };
    const signature = JSON.stringify(facts);
    const known = this.#items.get(message.id);
    if (known?.signature === signature) return known.item;
    const item = known?.item ?? h("li", { "data-hit": message.id });
    const focused = item.contains(document.activeElement);
    item.replaceChildren(hit(message, facts, () => this.#open(message)));
    if (focused) $("button", item).focus({ preventScroll: true });
    this.#items.set(message.id, { item, signature });
    return item;
  }

  #open(message) {
    this.#current = message.id;
    this.#show(message.room_id, message.id);
    this.#render();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    if (clientHeight === 0 || this.#search.olderFailed) return;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.#search.loadOlder();
  }

  #buttons() {
    return [...this.#list.querySelectorAll("button")];
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      return this.close();
    }
    const buttons = this.#buttons();
    if (event.target === this.#input) this.#inputKey(event, buttons);
    else if (buttons.includes(event.target)) this.#listKey(event, buttons);
  }

  #inputKey(event, buttons) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    if (this.#search.state === "loading" && event.key === "Enter") return this.#search.now();
    buttons[0]?.focus();
    if (event.key === "Enter") buttons[0]?.click();
  }

  #listKey(event, buttons) {
    const at = buttons.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0) this.#input.focus();
    else buttons[to]?.focus();
  }

  #pageKey(event) {
    const wanted =
      event.key.toLowerCase() === "f" && event.shiftKey && (event.ctrlKey || event.metaKey);
    if (!wanted || $("dialog[open]")) return;
    event.preventDefault();
    this.open(this.#panel.hidden || this.#wide);
  }
}

function hit(message, { room, sender, when, pieces, current }, onclick) {
  return h(
    "button",
    {
      type: "button",
      class: "hit",
      "data-testid": "search-hit",
      "aria-current": current ? "true" : null,
      onclick,
    },
    avatar(message.sender.id, message.sender.display_name),
    h(
      "span",
      { class: "hit-main" },
      h(
        "span",
        { class: "hit-head" },
        h("span", { class: "hit-sender" }, sender),
        h("span", { class: "hit-room" }, room),
        timeElement(message.sent_at, when, "hit-when"),
      ),
      h(
        "span",
        { class: "hit-text", dir: "auto" },
        ...pieces.map((piece) => (piece.hit ? h("mark", {}, piece.text) : piece.text)),
      ),
    ),
  );
}
