// Where lines are written. A draft belongs to its room and waits there; the box stays usable while
// disconnected, since the outbox keeps what is sent until it can go.

import { $, testId } from "../lib/dom.js";

const MOST = 4_000; // characters, as the server counts them: code points, without outer blanks
const COUNTED_FROM = 3_600; // the counter appears here
const TYPING_EVERY_MS = 3_000;
const TALLEST_PX = 220;

export class Composer {
  #chat;
  #sent;
  #form = $("[data-composer]");
  #box = testId("composer");
  #button = testId("send");
  #counter = $("[data-counter]");
  #room = null;
  #typedAt = 0;
  #typingTimer = 0;

  /** `sent()` is called after a line went to the outbox. */
  constructor(chat, sent) {
    this.#chat = chat;
    this.#sent = sent;
    chat.on("room", () => this.#show());
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#box.addEventListener("input", () => this.#input());
  }

  #show() {
    const { room } = this.#chat;
    if (room) this.#box.placeholder = `Message ${room.name}`;
    if (room?.id === this.#room) return;
    this.#room = room?.id ?? null;
    this.#box.value = this.#chat.drafts.of(this.#room);
    clearTimeout(this.#typingTimer);
    this.#measure();
    if (room && matchMedia("(hover: hover)").matches) this.#box.focus({ preventScroll: true });
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#box.value.trim();
    if (!this.#room || !text || length(text) > MOST) return;
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

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #input() {
    this.#chat.drafts.keep(this.#room, this.#box.value);
    this.#measure();
    this.#tellTyping();
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

function length(text) {
  return [...text].length;
}
