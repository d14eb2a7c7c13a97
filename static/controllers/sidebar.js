// The list of my conversations: sorted by last activity, filtered by what is typed above it, walked
// with the arrow keys. It also keeps the page's title, where the unread total is seen from afar.

import { avatar, pictureOf } from "../lib/avatar.js";
import { $, arrange, coalesce, h, testId } from "../lib/dom.js";
import { upTo } from "../lib/count.js";
import { brief, timeElement } from "../lib/time.js";
import { otherPerson } from "../models/rooms.js";

export class Sidebar {
  #chat;
  #list = testId("room-list");
  #empty = $("[data-rooms-empty]");
  #filter = $("[data-room-filter]");
  #markAllRead = testId("mark-all-read");
  #items = new Map(); // room id → { item, signature }
  #render = coalesce(() => this.#draw());

  constructor(chat) {
    this.#chat = chat;
    for (const model of [chat.rooms, chat.presence]) model.on("change", this.#render);
    chat.presence.on("typing", this.#render);
    chat.people.on("change", this.#render);
    chat.on("room", this.#render);
    this.#filter.addEventListener("input", this.#render);
    this.#filter.addEventListener("keydown", (event) => this.#filterKey(event));
    this.#list.addEventListener("keydown", (event) => this.#listKey(event));
    document.addEventListener("keydown", (event) => this.#pageKey(event));
    setInterval(this.#render, 60_000); // times age
    this.#draw();
  }

  #draw() {
    const { rooms } = this.#chat;
    document.title = this.#title();
    this.#markAllRead.hidden = rooms.unreadTotal() === 0;
    if (!rooms.loaded) return this.#list.replaceChildren(...skeleton());
    const wanted = this.#filter.value.trim().toLocaleLowerCase();
    const all = rooms.sorted();
    const shown = all.filter((room) => room.name.toLocaleLowerCase().includes(wanted));
    const focused = document.activeElement?.closest?.("[data-room-id]");
    arrange(
      this.#list,
      shown.map((room) => this.#item(room)),
    );
    if (focused?.isConnected) $("a", focused)?.focus({ preventScroll: true });
    for (const id of this.#items.keys()) if (!rooms.get(id)) this.#items.delete(id);
    this.#empty.hidden = shown.length > 0;
    this.#empty.replaceChildren(
      all.length
        ? h("p", {}, "No conversation is called like that.")
        : h(
            "p",
            {},
            "No conversations yet. Make a group, message somebody, or browse the public groups with the buttons above.",
          ),
    );
  }

  #item(room) {
    const facts = this.#facts(room);
    const signature = JSON.stringify(facts);
    const known = this.#items.get(room.id);
    if (known?.signature === signature) return known.item;
    const item = known?.item ?? h("li", { "data-room-id": room.id });
    item.classList.toggle("unread", facts.unread > 0);
    item.dataset.status = facts.status ?? "";
    item.replaceChildren(link(room, facts));
    this.#items.set(room.id, { item, signature });
    return item;
  }

  #facts(room) {
    const { presence, me, roomId, drafts } = this.#chat;
    const draft = room.id === roomId ? "" : drafts.of(room.id);
    const other = otherPerson(room, me);
    return {
      avatarOf: other?.user_id ?? room.id,
      picture: other ? pictureOf(other.user_id) : null, // those that the filter hides are not on the page
      name: room.name,
      group: room.kind !== "direct",
      status: other && !other.deleted ? presence.statusOf(other.user_id) : null,
      unread: room.unread,
      mentions: room.mentions,
      typing: this.#typists(room),
      preview: draft ? `Draft: ${oneLine(draft)}` : preview(room, me),
      at: room.last_message?.sent_at ?? null,
      when: room.last_message ? brief(room.last_message.sent_at) : "",
      current: room.id === roomId,
    };
  }

  #typists(room) {
    const typists = this.#chat.presence.typingIn(room.id);
    if (typists.length === 0) return "";
    if (room.kind === "direct") return "typing…";
    return `${this.#chat.people.nameOf(typists[0]) ?? "Somebody"} is typing…`;
  }

  #title() {
    const { rooms, room } = this.#chat;
    const total = rooms.unreadTotal();
    return `${total ? `(${upTo(total)}) ` : ""}${room ? `${room.name} · ` : ""}Rookery`;
  }

  #filterKey(event) {
    if (event.key === "Escape") {
      this.#filter.value = "";
      this.#render();
      this.#filter.blur();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      const first = $("a", this.#list);
      first?.focus();
      if (event.key === "Enter") first?.click();
    }
  }

  #listKey(event) {
    const links = [...this.#list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    if (to < 0) this.#filter.focus();
    else links[to]?.focus();
  }

  #pageKey(event) {
    const typing = event.target.closest?.("input, textarea, select, dialog");
    const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
    const ctrlK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (!(slash || ctrlK) || $("dialog[open]")) return;
    event.preventDefault();
    document.body.dataset.view = "list"; // on a phone the list may be out of sight
    this.#filter.focus();
    this.#filter.select();
  }
}

function link(room, facts) {
  return h(
    "a",
    { href: `#${encodeURIComponent(room.id)}`, "aria-current": facts.current ? "page" : null },
    avatar(facts.avatarOf, facts.name, { status: facts.status, group: facts.group }),
    h(
      "span",
      { class: "room-text" },
      h("span", { class: "room-name" }, facts.name),
      facts.at && timeElement(facts.at, facts.when, "room-when"),
      h(
        "span",
        { class: facts.typing ? "room-preview is-typing" : "room-preview" },
        facts.typing || facts.preview,
      ),
      facts.unread > 0 && badges(facts),
    ),
  );
}

/** How much is unread and, apart from that, how often it calls me. */
function badges({ unread, mentions }) {
  const called = mentions === 1 ? " mention, " : " mentions, ";
  return h(
    "span",
    { class: "badges" },
    mentions > 0 && h("span", { class: "mention-badge" }, `@${upTo(mentions)}`),
    mentions > 0 && h("span", { class: "sr-only" }, called),
    h("span", { class: "badge" }, upTo(unread)),
    h("span", { class: "sr-only" }, " unread"),
  );
}

function preview(room, me) {
  const last = room.last_message;
  if (!last) return room.kind === "direct" ? "Say hello" : room.topic || "Nothing said yet";
  if (last.deleted) return "Message deleted";
  const text = oneLine(last.body);
  if (last.sender.id === me) return `You: ${text}`;
  return room.kind === "direct" ? text : `${last.sender.display_name}: ${text}`;
}

function oneLine(text) {
  return text.trim().replace(/\s+/g, " ").slice(0, 140);
}

function skeleton() {
  return Array.from({ length: 4 }, () => h("li", { class: "skeleton", "aria-hidden": "true" }));
}
