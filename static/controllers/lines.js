// One row of the conversation as an element: a line said by somebody, a day divider, or the mark of
// the unread. `Lines` keeps the elements by key and rebuilds only those whose row has changed.

import { avatar } from "../lib/avatar.js";
import { arrange, h, icon, withLinks } from "../lib/dom.js";
import { clock, dayName, timeElement } from "../lib/time.js";

export class Lines {
  #place;
  #on;
  #held = new Map(); // key → { element, row, day }

  /** `on.retry(clientId)` and `on.discard(clientId)` are called for failed lines. */
  constructor(place, on) {
    this.#place = place;
    this.#on = on;
  }

  draw(rows) {
    const held = new Map();
    for (const row of rows) held.set(row.key, this.#element(row));
    this.#held = held;
    arrange(
      this.#place,
      [...held.values()].map(({ element }) => element),
    );
  }

  #element(row) {
    const known = this.#held.get(row.key);
    const today = row.kind === "day" ? dayName(row.at) : null;
    if (known && known.today === today && same(known.row, row)) return known;
    const element = known?.element ?? h("div");
    if (row.kind === "day") fillDay(element, row, today);
    else if (row.kind === "unread") fillUnread(element);
    else this.#fillLine(element, row);
    return { element, row, today };
  }

  #fillLine(element, row) {
    const place = [row.mine && "mine", row.first && "first", row.last && "last"];
    const state = [row.state !== "sent" && row.state, row.body === null && "deleted"];
    element.className = ["line", ...place, ...state].filter(Boolean).join(" ");
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
          body(row),
          row.edited && h("span", { class: "edited" }, "edited"),
        ),
        row.state === "pending" && h("p", { class: "line-state" }, icon("clock"), "Sending…"),
        row.state === "failed" && this.#failure(row),
      ),
      row.first ? "" : timeElement(row.at, clock(row.at), "side-time"),
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

function body(row) {
  const deleted = row.body === null;
  return h(
    "div",
    { class: "body", dir: "auto" },
    ...(deleted ? ["Message deleted"] : withLinks(row.body)),
  );
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

function same(a, b) {
  return Object.keys(b).every((field) => a[field] === b[field]);
}
