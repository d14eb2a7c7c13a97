// What can be done with a line: a menu of it, and the palette of emoji to react with. The menu opens
// from the line's button or, under a finger, by pressing long.

import { h, icon } from "../lib/dom.js";
import { COMMON, nameOf, search } from "../lib/emoji.js";
import { mutedUntil } from "../models/mutes.js";
import { confirm } from "./dialog.js";
import { arrowKeys, openPopup } from "./popup.js";

const QUICK = 6; // emoji offered in the menu itself
const FOUND = 60; // emoji shown for a search
const LONG_PRESS_MS = 450;
const STILL_PX = 10; // a finger that moves further scrolls

export class LineMenu {
  #chat;
  #popup = null;
  #press = { timer: 0, x: 0, y: 0, fired: false };

  /** `place` holds the lines; `rowOf(element)` finds the row of the line that an element is in. */
  constructor(chat, place, rowOf) {
    this.#chat = chat;
    const pressed = (event) => {
      const line = event.target.closest(".line");
      const row = line && rowOf(line);
      if (event.pointerType !== "mouse" && row && mayChange(row)) this.#pressing(event, line, row);
    };
    place.addEventListener("pointerdown", pressed);
    place.addEventListener("pointermove", (event) => this.#moved(event));
    for (const name of ["pointerup", "pointercancel"])
      place.addEventListener(name, () => clearTimeout(this.#press.timer));
    // Lifting the finger is no click on what it pressed long, nor on the sheet that has come under it.
    addEventListener("pointerdown", () => (this.#press.fired = false), { capture: true });
    for (const name of ["click", "contextmenu"])
      addEventListener(name, (event) => this.#afterPress(event), { capture: true });
  }

  open(row, anchor) {
    const items = this.#items(row);
    const quick = COMMON.slice(0, QUICK).map((emoji) => this.#quick(row, emoji));
    const more = item(
      "react-more",
      { class: "emoji", "aria-label": "More reactions" },
      icon("plus"),
    );
    more.addEventListener("click", () => this.palette(row, anchor));
    const buttons = () => [...this.#popup.element.querySelectorAll("button")];
    this.#show(anchor, {
      label: "Message actions",
      role: "menu",
      className: "menu",
      content: [
        h("div", { class: "menu-emoji", role: "group", "aria-label": "React" }, ...quick, more),
        ...items,
      ],
    });
    this.#popup.element.addEventListener("keydown", (event) => arrowKeys(event, buttons));
    items[0]?.focus();
  }

  palette(row, anchor) {
    const grid = h("div", { class: "palette-grid", "data-testid": "palette-emoji" });
    const field = h("input", {
      type: "search",
      "data-testid": "palette-search",
      placeholder: "Find an emoji",
      "aria-label": "Find an emoji",
      autocomplete: "off",
      spellcheck: "false",
    });
    const buttons = () => [...grid.querySelectorAll("button")];
    const draw = () => {
      const query = field.value.trim();
      const found = query ? search(query, FOUND) : COMMON;
      grid.replaceChildren(
        ...(found.length ? found.map((emoji) => this.#quick(row, emoji, "button")) : [nothing()]),
      );
    };
    draw();
    field.addEventListener("input", draw);
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      if (event.key === "Enter") buttons()[0]?.click();
      else buttons()[0]?.focus();
    });
    grid.addEventListener("keydown", (event) => arrowKeys(event, buttons));
    this.#show(anchor, {
      label: "React",
      role: "dialog",
      className: "palette",
      content: [field, grid],
    });
    // Under a finger the keyboard would cover what it is about.
    if (matchMedia("(hover: hover)").matches) field.focus();
    else buttons()[0].focus();
  }

  /** Asks first, since it cannot be taken back. */
  delete(row) {
    confirm({
      title: "Delete this message?",
      text: "It disappears for everyone. This cannot be undone.",
      submitLabel: "Delete",
      submit: () => void this.#chat.deleteMessage(row.id),
    });
  }

  #show(anchor, options) {
    this.#popup?.close();
    const line = anchor.closest(".line");
    const returnTo = () => line.querySelector(".line-more");
    this.#popup = openPopup(anchor, { ...options, returnTo });
  }

  #quick(row, emoji, role = "menuitem") {
    const mine = row.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine);
    const attributes = {
      class: mine ? "emoji mine" : "emoji",
      role,
      "data-emoji": emoji,
      "aria-label": mine ? `Take back ${nameOf(emoji)}` : nameOf(emoji),
    };
    return this.#closing(item("emoji", attributes, emoji), () =>
      this.#chat.react(row.id, emoji, !mine),
    );
  }

  #items(row) {
    const { composing, roomId, room, timeline } = this.#chat;
    const message = timeline.find(row.id);
    const mayDelete = row.mine || this.#chat.runs(room);
    const mayWrite = !mutedUntil(room);
    const entry = (name, label, symbol, act, more = {}) =>
      this.#closing(item(name, more, icon(symbol), label), act);
    return [
      mayWrite && entry("action-reply", "Reply", "reply", () => composing.reply(roomId, message)),
      mayWrite &&
        row.mine &&
        entry("action-edit", "Edit", "edit", () => composing.edit(roomId, message)),
      timeline.hasOthersFrom(message) &&
        entry("action-unread", "Mark unread from here", "unread", () =>
          this.#chat.markUnread(message),
        ),
      entry("action-copy", "Copy text", "copy", () => this.#copy(row.body)),
      mayDelete &&
        entry("action-delete", "Delete", "trash", () => this.delete(row), { class: "danger" }),
    ].filter(Boolean);
  }

  #closing(button, act) {
    button.addEventListener("click", () => {
      this.#popup.close();
      act();
    });
    return button;
  }

  async #copy(text) {
    this.#chat.emit("notice", (await copyText(text)) ? "Copied." : "This could not be copied.");
  }

  #pressing(event, line, row) {
    clearTimeout(this.#press.timer);
    const open = () => {
      this.#press.fired = true;
      this.open(row, line.querySelector(".bubble"));
    };
    const timer = setTimeout(open, LONG_PRESS_MS);
    this.#press = { timer, x: event.clientX, y: event.clientY, fired: false };
  }

  #moved({ clientX, clientY }) {
    const { timer, x, y } = this.#press;
    if (Math.hypot(clientX - x, clientY - y) > STILL_PX) clearTimeout(timer);
  }

  #afterPress(event) {
    if (!this.#press.fired) return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Whether anything can be done with this line. */
export function mayChange(row) {
  return row.kind === "line" && row.id !== null && row.body !== null;
}

/** Answers whether it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text); // a page served over plain HTTP from another machine has no clipboard
  }
}

function copyTheOldWay(text) {
  const box = h("textarea", { class: "sr-only", readonly: true });
  const focused = document.activeElement;
  box.value = text;
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}

function item(name, attributes, ...content) {
  const always = { type: "button", "data-testid": name, role: "menuitem" };
  return h("button", { ...always, ...attributes }, ...content);
}

function nothing() {
  return h("p", { class: "palette-none" }, "None found.");
}
