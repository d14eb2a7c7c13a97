// What the page says about itself: the banner while there is no connection, and short notices about
// things that happened to one's rooms.

import { $, h, testId } from "../lib/dom.js";

const NOTICE_MS = 7_000;
const NOTICES = 4; // at once; the oldest makes room

const ENDINGS = { 4501: "You are logged out.", 4503: "This account is disabled." };

export class Banner {
  #banner = testId("banner");
  #text = $("[data-banner-text]");
  #retry = $("[data-banner-retry]");
  #wasOpen = false;

  constructor(socket) {
    socket.on("state", (state) => this.#show(state));
    socket.on("ended", (code) => this.#ended(code));
    this.#retry.addEventListener("click", () => socket.hurry());
  }

  #show(state) {
    const open = state === "open";
    this.#wasOpen ||= open;
    this.#banner.hidden = open;
    this.#retry.hidden = state !== "waiting";
    this.#text.textContent = this.#wasOpen || state === "waiting" ? "Reconnecting…" : "Connecting…";
  }

  #ended(code) {
    this.#text.textContent = ENDINGS[code] ?? "Disconnected. Please reload the page.";
  }
}

export class Notices {
  #place = $("[data-notices]");

  show(text) {
    const notice = h("p", { class: "notice" }, text);
    this.#place.append(notice);
    while (this.#place.children.length > NOTICES) this.#place.firstElementChild.remove();
    setTimeout(() => notice.remove(), NOTICE_MS);
  }
}
