// The open room: its lines, where one is in them, and when they count as read. The rule of the
// place: whoever is at the bottom stays there as lines come, whoever reads further up is not moved.

import { $, coalesce, h, testId } from "../lib/dom.js";
import { upTo } from "../lib/count.js";
import { isLater } from "../lib/position.js";
import { rowsOf } from "../models/rows.js";
import { LineMenu } from "./line-menu.js";
import { Lines } from "./lines.js";
import { UnreadBar } from "./unread-bar.js";

const BOTTOM_PX = 60; // this near to the end counts as there
const NEAR_PX = 500; // this near to where the lines held end asks for more of them
const READ_PAUSE_MS = 250; // read markers in a burst of lines become one

export class Conversation {
  #chat;
  #scroller = testId("messages");
  #lines;
  #top = $("[data-history-top]");
  #toNewest = $("[data-to-newest]");
  #toNewestText = $("[data-to-newest-text]");
  #stays = true; // at the bottom, and to be kept there
  #size = "";
  #roomId = null;
  #timeline = null;
  #unlisten = () => {};
  #unreadAfter = null; // position of the mark "New"
  #unread = 0; // how many there were after it
  #unreadFound = false; // the mark was in sight
  #bar = new UnreadBar({ jump: () => this.#jumpToUnread(), markRead: () => this.markRead() });
  #passed = 0; // lines that came while reading further up
  #readTimer = 0;
  #target = null; // the message to go to once it is drawn
  #wanted = null; // the message to go to once its room is open
  #pressed = false; // lines that moved from under a press would lose its click
  #render = coalesce(() => this.#pressed || this.#draw());

  constructor(chat) {
    this.#chat = chat;
    const place = $("[data-lines]");
    const reply = (row) => chat.composing.reply(this.#roomId, this.#timeline.find(row.id));
    this.#lines = new Lines(place, chat.username, {
      retry: (clientId) => chat.outbox.retry(clientId),
      discard: (clientId) => chat.outbox.settle(clientId),
      menu: (row, button) => menu.open(row, button),
      palette: (row, button) => menu.palette(row, button),
      reply,
      react: (row, emoji, on) => chat.react(row.id, emoji, on),
      jump: (id) => this.#jump(id),
    });
    const menu = new LineMenu(chat, place, this.#lines.rowOf);
    chat.on("room", () => this.#show());
    chat.on("event", (event) => this.#heard(event));
    chat.on("connected", () => this.#connected());
    chat.on("unread", (room) => room === this.#roomId && this.#markedUnread());
    chat.on("read", () => this.#nothingNew());
    chat.receipts.on("change", this.#render);
    chat.rooms.on("change", () => this.#showBar());
    document.addEventListener("keydown", (event) => this.#key(event));
    chat.outbox.on("change", (room) => room === this.#roomId && this.#render());
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#toNewest.addEventListener("click", () => this.toBottom());
    place.addEventListener("pointerdown", ({ target, button }) => {
      // Of a press on a scrollbar no browser says when it ends.
      this.#pressed = button === 0 && target.closest("button, a") !== null;
    });
    for (const end of ["pointerup", "pointercancel", "contextmenu", "blur"])
      addEventListener(end, () => this.#released());
    new ResizeObserver(() => this.#resized()).observe(this.#scroller);
    addEventListener("focus", () => this.#readSoon());
    addEventListener("blur", () => this.#lookedAway());
    document.addEventListener("visibilitychange", () => this.#readSoon());
    setInterval(this.#render, 60_000); // "Today" becomes "Yesterday"
  }

  /** What came while the press lasted is drawn after its click. */
  #released() {
    if (!this.#pressed) return;
    this.#pressed = false;
    this.#render();
  }

  /** After one's own line: see it, and nothing is new any more. */
  toBottom() {
    this.#stays = true;
    this.#unreadAfter = null;
    this.#passed = 0;
    this.#target = null;
    this.#showBar();
    if (this.#timeline?.hasNewer) this.#timeline.load();
    this.#render();
  }

  /** All is read, also what I had marked as unread. */
  markRead() {
    if (this.#roomId) this.#chat.reading.readAll(this.#roomId);
    this.toBottom();
  }

  #nothingNew() {
    this.#unreadAfter = null;
    this.#render();
  }

  /** Here or on another device: it is shown as if I had just come, and stays so. */
  #markedUnread() {
    this.#unreadAfter = this.#chat.room.read_position;
    this.#unreadFound = true;
    this.#render();
  }

  /** Escape: done with what is new here; with Shift, everywhere. */
  #key(event) {
    const elsewhere = event.target.closest?.("dialog, .popup, .members, [data-room-filter]");
    if (event.key !== "Escape" || event.defaultPrevented || elsewhere || $("dialog[open]")) return;
    if (event.isComposing) return; // it is the input method that is left
    if (event.shiftKey) this.#chat.readEverything();
    else if (this.#roomId && this.#chat.room) this.markRead();
  }

  /** To the first unread message, wherever in the history it is. */
  async #jumpToUnread() {
    const timeline = this.#timeline;
    try {
      await timeline.seekTo(this.#unreadAfter);
    } catch (problem) {
      return this.#chat.emit("notice", problem.detail);
    }
    if (timeline !== this.#timeline || this.#unreadAfter === null) return;
    this.#stays = false;
    this.#unreadFound = true;
    this.#passed = this.#chat.reading.isHeld(this.#roomId) ? this.#chat.room.unread : this.#unread;
    this.#draw();
    this.#lines.unreadMark()?.scrollIntoView({ block: "center" });
    this.#scroller.focus({ preventScroll: true });
  }

  #showBar() {
    const { room } = this.#chat;
    const held = this.#chat.reading.isHeld(this.#roomId) && room?.unread > 0;
    const above = this.#unreadAfter !== null && !this.#unreadFound && this.#unread > 0;
    this.#bar.show(!room || !(held || above) ? null : held ? room.unread : this.#unread, { held });
  }

  /** Whoever has the mark before their eyes need not be led to it. */
  #lookForMark() {
    const mark = this.#lines.unreadMark()?.getBoundingClientRect();
    const frame = this.#scroller.getBoundingClientRect();
    if (mark && mark.top >= frame.top && frame.height > 0) this.#unreadFound = true;
    this.#showBar();
  }

  /** To a message of a room that is about to be opened, or is. The focus stays where it is. */
  showWhenOpen(room, message) {
    this.#wanted = { room, message };
  }

  #showWanted() {
    const { room, message } = this.#wanted ?? {};
    if (room !== this.#roomId || !this.#timeline) return false;
    this.#wanted = null;
    this.#jump(message, { focus: false });
    return true;
  }

  /** To a message, wherever in the history it is: one that a reply quotes, or that was found. */
  async #jump(id, { focus = true } = {}) {
    const timeline = this.#timeline;
    try {
      await timeline.seek(id);
    } catch (problem) {
      return this.#chat.emit("notice", problem.detail);
    }
    if (timeline !== this.#timeline) return;
    this.#target = { id, focus };
    this.#draw();
  }

  #show() {
    const { room, timeline } = this.#chat;
    if (room?.id === this.#roomId && this.#timeline === timeline) {
      this.#showWanted();
      return this.#render();
    }
    this.#unlisten();
    this.#roomId = room?.id ?? null;
    this.#timeline = timeline;
    if (!room) return;
    this.#unlisten = timeline.on("change", this.#render);
    this.#unreadAfter = room.unread > 0 ? (room.read_position ?? "0") : null;
    this.#unread = room.unread;
    this.#unreadFound = false;
    this.#stays = true;
    this.#passed = 0;
    this.#target = null;
    if (!this.#showWanted() && timeline.hasNewer) timeline.load(); // it was left at an old message
    this.#draw();
  }

  /** What could not be had while there was no connection is asked for again. */
  #connected() {
    if (this.#timeline) this.#timeline.newerFailed = false;
    this.#askMore();
    this.#readSoon();
  }

  #draw() {
    const timeline = this.#timeline;
    if (!timeline || !this.#roomId) return;
    const anchor = this.#stays ? null : this.#anchor();
    this.#scroller.setAttribute(
      "aria-live",
      timeline.state === "ready" && !timeline.loadingOlder ? "polite" : "off",
    );
    this.#lines.draw(this.#rows(timeline));
    this.#top.replaceChildren(...this.#topNote(timeline));
    const target = this.#target && this.#lines.find(this.#target.id);
    if (target) this.#goTo(target, this.#target);
    else if (anchor?.row.isConnected) {
      this.#scroller.scrollTop += anchor.row.getBoundingClientRect().top - anchor.top;
    } else {
      this.#pin(); // also when what was being read is gone, after a reset
      if (this.#stays) timeline.trim();
    }
    this.#pill();
    this.#lookForMark();
    this.#askMore();
    this.#readSoon();
  }

  /** Lines still to be sent stand after the newest, so not where that is not in sight. */
  #rows(timeline) {
    const { me, username, outbox, room } = this.#chat;
    const waiting = timeline.hasNewer ? [] : outbox.of(this.#roomId);
    // Not before the first line held, where older unread ones may be.
    const marked = this.#unreadAfter !== null && timeline.reaches(this.#unreadAfter);
    return rowsOf(timeline.messages, waiting, {
      me,
      username,
      unreadAfter: marked ? this.#unreadAfter : null,
      seen: this.#seen(timeline),
      direct: room?.kind === "direct",
    });
  }

  /** Who has read up to which line: message id → `{ id, name }`. */
  #seen(timeline) {
    const { receipts, people } = this.#chat;
    if (receipts.room !== this.#roomId) return null;
    const person = (id) => ({ id, name: people.nameOf(id) ?? "Somebody" });
    const seen = [...receipts.seen(timeline.messages, timeline)];
    return new Map(seen.map(([message, ids]) => [message, ids.map(person)]));
  }

  #goTo(line, { focus }) {
    this.#target = null;
    this.#stays = false;
    line.scrollIntoView({ block: "center" });
    if (focus) line.querySelector(".line-more")?.focus({ preventScroll: true });
    line.classList.remove("found"); // found again, it lights up again
    void line.offsetWidth;
    line.classList.add("found");
    line.addEventListener("animationend", () => line.classList.remove("found"), { once: true });
  }

  #topNote(timeline) {
    const { room } = this.#chat;
    if (timeline.state === "failed") {
      const again = () => timeline.load();
      return [
        note(timeline.problem.detail),
        h("button", { type: "button", class: "button", onclick: again }, "Try again"),
      ];
    }
    if (timeline.olderFailed) {
      const again = () => timeline.loadOlder();
      return [
        note("Older messages could not be loaded."),
        h("button", { type: "button", class: "button", onclick: again }, "Try again"),
      ];
    }
    if (timeline.state !== "ready" || timeline.hasOlder) {
      return [h("span", { class: "spinner", role: "img", "aria-label": "Loading" })];
    }
    if (!room) return [];
    const where = room.kind === "direct" ? `your conversation with ${room.name}` : room.name;
    const hint =
      room.kind === "direct"
        ? "Only the two of you can read this."
        : "Everyone in the group can read everything from here on.";
    return [h("p", { class: "beginning" }, `This is the beginning of ${where}.`), note(hint)];
  }

  /** The first row in sight and where it is, to put it back there after drawing. */
  #anchor() {
    const top = this.#scroller.getBoundingClientRect().top;
    for (const row of this.#scroller.querySelectorAll(".line")) {
      const box = row.getBoundingClientRect();
      if (box.bottom > top) return { row, top: box.top };
    }
    return null;
  }

  #pin() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #resized() {
    this.#size = this.#sizeNow();
    if (this.#stays) this.#pin();
  }

  #sizeNow() {
    return `${this.#scroller.clientWidth} ${this.#scroller.clientHeight}`;
  }

  #scrolled() {
    // A scroll reported while the frame is changing its size (the composer grew) says nothing about
    // what the person wants; #resized follows.
    if (this.#size !== this.#sizeNow()) return;
    // Where the newest are on their way, the end of the lines held is the way to them.
    const { hasNewer, state } = this.#timeline ?? {};
    this.#stays = this.#toEnd() < BOTTOM_PX && (!hasNewer || state === "loading");
    if (this.#stays) this.#passed = 0;
    this.#pill();
    this.#lookForMark();
    this.#askMore();
    this.#readSoon();
  }

  #toEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #pill() {
    this.#toNewest.hidden = this.#stays;
    const count = this.#passed;
    this.#toNewestText.textContent = count
      ? `${upTo(count)} new message${count > 1 ? "s" : ""}`
      : "Newest";
    this.#toNewest.classList.toggle("has-new", count > 0);
  }

  #askMore() {
    const timeline = this.#timeline;
    if (!timeline || this.#scroller.clientHeight === 0) return;
    if (!timeline.olderFailed && this.#scroller.scrollTop < NEAR_PX) timeline.loadOlder();
    if (!timeline.newerFailed && this.#toEnd() < NEAR_PX) timeline.loadNewer();
  }

  #heard({ type, room, message }) {
    if (type !== "message" || room !== this.#roomId) return;
    if (message.sender.id === this.#chat.me) this.#unreadAfter = null;
    else if (!this.#stays) this.#passed += 1;
  }

  /** Lines that come while nobody looks get the mark "New" before the first of them. */
  #lookedAway() {
    const { room } = this.#chat;
    if (room && room.unread === 0 && !this.#timeline?.hasNewer)
      this.#unreadAfter = this.#timeline?.newest?.position ?? "0";
  }

  #readSoon() {
    if (this.#readTimer || !this.#unreadInSight()) return;
    this.#readTimer = setTimeout(() => {
      this.#readTimer = 0;
      const newest = this.#unreadInSight();
      if (newest) this.#chat.read(this.#roomId, newest.position);
    }, READ_PAUSE_MS);
  }

  /** The newest message, if it is unread and a person has it before their eyes. */
  #unreadInSight() {
    const { room } = this.#chat;
    const seen = room && room.id === this.#roomId && this.#stays && this.#scroller.clientHeight > 0;
    if (!seen || document.hidden || !document.hasFocus()) return null;
    if (this.#timeline?.hasNewer || this.#chat.reading.isHeld(this.#roomId)) return null;
    const newest = this.#timeline?.newest;
    return newest && isLater(newest.position, room.read_position) ? newest : null;
  }
}

function note(text) {
  return h("p", { class: "history-note" }, text);
}
