// What hangs over the top of the lines while something unread is above: how much, the way there, and
// the way to be done with it. A room that was marked as unread keeps it as long as it is held.

import { $, testId } from "../lib/dom.js";
import { upTo } from "../lib/count.js";

export class UnreadBar {
  #bar = $("[data-unread-bar]");
  #text = $("[data-unread-text]");

  constructor({ jump, markRead }) {
    testId("to-unread").addEventListener("click", jump);
    testId("mark-read").addEventListener("click", markRead);
  }

  /** `null` hides it. */
  show(count, { held = false } = {}) {
    this.#bar.hidden = count === null;
    if (count === null) return;
    const messages = count === 1 ? "message" : "messages";
    this.#text.textContent = `${upTo(count)} ${held ? "unread" : "new"} ${messages}`;
  }
}
