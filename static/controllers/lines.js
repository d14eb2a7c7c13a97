// One row of the conversation as an element: a line said by somebody, a day divider, or the mark of
// the unread. `Lines` keeps the elements by key and rebuilds only those whose row has changed.

import { avatar } from "../lib/avatar.js";
import { arrange, h, icon } from "../lib/dom.js";
import { clock, dayName, exactly, timeElement } from "../lib/time.js";
import { mayChange } from "./line-menu.js";
import { actionsOf, quoteOf, reactionsOf } from "./line-parts.js";
import { lineText } from "./line-text.js";
import { fillSeen } from "./seen.js";

export class Lines {
  #place;
  #username;
  #on;
  #held = new Map(); // key → { element, row, day }
  #rows = new WeakMap(); // element → row
  #tabStop = null; // the one button for actions that the tab key reaches

  /**
   * `on.retry(clientId)` and `on.discard(clientId)` are called for failed lines; for others
   * `on.menu(row, button)`, `on.palette(row, button)`, `on.reply(row)`, `on.react(row, emoji, on)`
   * and `on.jump(messageId)`. `username` is mine, to show where I am called.
   */
  constructor(place, username, on) {
    this.#place = place;
    this.#username = username;
    this.#on = on;
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("focusin", ({ target }) => this.#reached(target));
  }

  /** The row of a line. */
  rowOf = (element) => this.#rows.get(element);

  /** The element of a message, if it is drawn. */
  find(messageId) {
    return this.#place.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`);
  }

  /** The mark before the first unread line, if it is drawn. */
  unreadMark() {
    return this.#held.get("unread")?.element;
  }

  draw(rows) {
    const held = new Map();
    for (const row of rows) held.set(row.key, this.#element(row));
    this.#held = held;
    arrange(
      this.#place,
      [...held.values()].map(({ element }) => element),
    );
    if (!this.#tabStop?.isConnected) this.#reached(this.#buttons().at(-1));
  }

  // Of all the lines one button is reached by the tab key, and the arrow keys lead to the others: a
  // long conversation is no long way.

  #buttons() {
    return [...this.#place.querySelectorAll(".line-more")];
  }

  #reached(button) {
    if (!button?.classList.contains("line-more") || button === this.#tabStop) return;
    if (this.#tabStop) this.#tabStop.tabIndex = -1;
    this.#tabStop = button;
    button.tabIndex = 0;
  }

  #key(event) {
    if (!event.target.classList.contains("line-more")) return;
    const buttons = this.#buttons();
    const at = buttons.indexOf(event.target);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons[to]?.focus();
  }

  #element(row) {
    const known = this.#held.get(row.key);
    const today = row.kind === "day" ? dayName(row.at) : null;
    if (known && known.today === today && same(known.row, row)) return known;
    const element = known?.element ?? h("div");
    if (row.kind === "day") fillDay(element, row, today);
    else if (row.kind === "unread") fillUnread(element);
    else if (row.kind === "seen") fillSeen(element, row);
    else keepingFocus(element, () => this.#fillLine(element, row));
    this.#rows.set(element, row);
    return { element, row, today };
  }

  #fillLine(element, row) {
    const place = [row.mine && "mine", row.first && "first", row.last && "last"];
    const called = row.callsMe && "calls-me";
    const state = [row.state !== "sent" && row.state, row.body === null && "deleted"];
    element.className = ["line", ...place, called, ...state].filter(Boolean).join(" ");
    setData(element, "messageId", row.id);
    setData(element, "clientId", row.clientId);
    element.replaceChildren(
      !row.mine && row.first ? avatar(row.senderId, row.senderName) : "",
      h(
        "div",
        { class: "line-main" },
        row.first && head(row),
        h(
          "div",
          { class: "bubble" },
          row.quote && quoteOf(row.quote, this.#on.jump),
          lineText(row, this.#username),
          row.editedAt && edited(row.editedAt),
          mayChange(row) && actionsOf(row, this.#on),
          !row.first && timeElement(row.at, clock(row.at), "side-time"),
        ),
        reactionsOf(row, this.#on.react),
        row.state === "pending" && h("p", { class: "line-state" }, icon("clock"), "Sending…"),
        row.state === "failed" && this.#failure(row),
      ),
    );
  }

  #failure(row) {
    return h(
      "p",
      { class: "line-state", role: "alert" },
      icon("alert"),
      h("span", {}, `Not sent. ${row.detail}`),
      h(
        "button",
        {
          type: "button",
          class: "link-button",
          "data-testid": "retry",
          onclick: () => this.#on.retry(row.clientId),
        },
        "Try again",
      ),
      h(
        "button",
        {
          type: "button",
          class: "link-button",
          "data-testid": "discard",
          onclick: () => this.#on.discard(row.clientId),
        },
        "Discard",
      ),
    );
  }
}

function head(row) {
  return h(
    "div",
    { class: "line-head" },
    h("span", { class: row.mine ? "sr-only" : "sender" }, row.mine ? "You" : row.senderName),
    timeElement(row.at),
  );
}

function edited(at) {
  return h("span", { class: "edited", title: `Edited ${exactly(at)}` }, "edited");
}

/** What is filled anew keeps the focus on the same button. */
function keepingFocus(element, fill) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset : null;
  fill();
  if (!focused) return;
  const emoji = focused.emoji ? `[data-emoji="${CSS.escape(focused.emoji)}"]` : "";
  const same = focused.testid && element.querySelector(`[data-testid="${focused.testid}"]${emoji}`);
  (same || element.querySelector(".line-more"))?.focus({ preventScroll: true });
}

function fillDay(element, row, text) {
  element.className = "day";
  element.replaceChildren(timeElement(row.at, text));
}

function fillUnread(element) {
  element.className = "unread-mark";
  element.replaceChildren(h("span", {}, "New"));
}

function setData(element, name, value) {
  if (value === null) delete element.dataset[name];
  else element.dataset[name] = value;
}

/** Of who has seen a line the names are compared, since the list is always a new one. */
function same(a, b) {
  return Object.keys(b).every((field) => field === "people" || a[field] === b[field]);
}
