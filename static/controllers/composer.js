// Where lines are written, and one's own are changed. A draft belongs to its room and waits there; the
// box stays usable while disconnected, since the outbox keeps what is sent until it can go.

import { $, testId } from "../lib/dom.js";
import { otherPerson } from "../models/rooms.js";
import { MentionList } from "./mention-list.js";

const MOST = 4_000; // characters, as the server counts them: code points, without outer blanks
const COUNTED_FROM = 3_600; // the counter appears here
const TYPING_EVERY_MS = 3_000;
const TALLEST_PX = 220;

export class Composer {
  #chat;
  #sent;
  #form = $("[data-composer]");
  #box = testId("composer");
  #closed = testId("composer-closed");
  #button = testId("send");
  #counter = $("[data-counter]");
  #context = testId("composer-context");
  #mentions;
  #room = null;
  #editing = null; // the id of the message that is being changed
  #saving = false;
  #typedAt = 0;
  #typingTimer = 0;

  /** `sent()` is called after a line went to the outbox. */
  constructor(chat, sent) {
    this.#chat = chat;
    this.#sent = sent;
    this.#mentions = new MentionList(chat, this.#box);
    chat.on("room", () => this.#show());
    chat.composing.on("change", (room) => room === this.#room && this.#about({ focus: true }));
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#form.addEventListener("keydown", (event) => this.#key(event));
    this.#box.addEventListener("input", () => this.#input());
    testId("context-cancel").addEventListener("click", () => this.#cancel());
  }

  #show() {
    const { room, me } = this.#chat;
    if (room) this.#box.placeholder = `Message ${room.name}`;
    this.#close(Boolean(otherPerson(room, me)?.deleted));
    if (room?.id === this.#room) return;
    this.#room = room?.id ?? null;
    this.#box.value = this.#chat.drafts.of(this.#room);
    this.#editing = null;
    clearTimeout(this.#typingTimer);
    this.#about({ focus: room && matchMedia("(hover: hover)").matches });
  }

  /** Nobody would read what is written to a deleted account. */
  #close(closed) {
    this.#form.hidden = closed;
    this.#closed.hidden = !closed;
    this.#form.closest("section").classList.toggle("is-closed", closed);
  }

  /** Shows what the box is about: a new line, a reply or a change. */
  #about({ focus }) {
    const now = this.#chat.composing.of(this.#room);
    const editing = now?.kind === "edit" ? now.message.id : null;
    if (editing !== this.#editing) {
      this.#box.value = editing ? now.text : this.#chat.drafts.of(this.#room);
      this.#editing = editing;
    }
    this.#context.hidden = !now;
    $("[data-context-title]").textContent = now ? title(now, this.#chat.me) : "";
    $("[data-context-text]").textContent = now ? (now.message.body ?? "Message deleted") : "";
    this.#button.title = editing ? "Save" : "Send";
    this.#button.setAttribute("aria-label", this.#button.title);
    $("use", this.#button).setAttribute("href", `/static/icons.svg#${editing ? "check" : "send"}`);
    this.#measure();
    if (focus) this.#box.focus({ preventScroll: true });
  }

  #cancel() {
    this.#chat.composing.end(this.#room);
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#box.value.trim();
    if (!this.#room || !text || length(text) > MOST) return;
    if (this.#editing) return this.#save(text);
    if (!this.#chat.say(text)) {
      return this.#chat.emit("notice", "Too many messages are waiting to be sent.");
    }
    this.#box.value = "";
    this.#chat.drafts.keep(this.#room, "");
    clearTimeout(this.#typingTimer);
    this.#measure();
    this.#box.focus();
    this.#sent();
  }

  /** What is refused stays in the box. */
  async #save(text) {
    const { composing } = this.#chat;
    const room = this.#room;
    const { message } = composing.of(room);
    if (text === message.body) return this.#cancel();
    if (this.#saving) return;
    this.#saving = true;
    const saved = await this.#chat.edit(message.id, text);
    this.#saving = false;
    if (saved && composing.of(room)?.message.id === message.id) composing.end(room);
  }

  #key(event) {
    if (event.target === this.#box && this.#mentions.key(event)) return;
    if (event.key === "Escape" && this.#chat.composing.of(this.#room)) {
      event.preventDefault();
      return this.#cancel();
    }
    if (event.target !== this.#box || event.isComposing) return;
    if (event.key === "ArrowUp" && !this.#box.value && !this.#editing) return this.#editLast(event);
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #editLast(event) {
    const { timeline, composing, me } = this.#chat;
    if (timeline?.hasNewer) return; // my last line is not on the page
    const mine = timeline?.messages.findLast(({ sender, deleted }) => sender.id === me && !deleted);
    if (!mine) return;
    event.preventDefault();
    composing.edit(this.#room, mine);
  }

  #input() {
    if (this.#editing) this.#chat.composing.typed(this.#room, this.#box.value);
    else this.#chat.drafts.keep(this.#room, this.#box.value);
    this.#measure();
    if (!this.#editing) this.#tellTyping();
  }

  /** At most one signal in three seconds; a key within them is told when they are over. */
  #tellTyping() {
    clearTimeout(this.#typingTimer);
    if (!this.#room || !this.#box.value.trim()) return;
    const wait = this.#typedAt + TYPING_EVERY_MS - Date.now();
    if (wait > 0) {
      this.#typingTimer = setTimeout(() => this.#tellTyping(), wait);
      return;
    }
    this.#typedAt = Date.now();
    if (this.#chat.connected) this.#chat.typing(this.#room);
  }

  #measure() {
    const count = length(this.#box.value.trim());
    this.#button.disabled = count === 0 || count > MOST;
    this.#counter.textContent =
      count >= COUNTED_FROM ? `${count.toLocaleString()} / ${MOST.toLocaleString()}` : "";
    this.#counter.classList.toggle("over", count > MOST);
    if (count > MOST) this.#box.setAttribute("aria-invalid", "true");
    else this.#box.removeAttribute("aria-invalid");
    this.#box.style.height = "auto";
    this.#box.style.height = `${Math.min(this.#box.scrollHeight, TALLEST_PX)}px`;
  }
}

function title({ kind, message }, me) {
  if (kind === "edit") return "Editing";
  return message.sender.id === me
    ? "Replying to yourself"
    : `Replying to ${message.sender.display_name}`;
}

function length(text) {
  return [...text].length;
}
