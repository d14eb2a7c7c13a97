// Which room the address names (`/#ROOM`) is the one on the page. A room that is not mine may be a
// public group to join; one that nobody knows leads back to the list. A few words are no rooms but
// views of their own (`/#contacts`).

import { api, path } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { $, h, testId } from "../lib/dom.js";
import { notSent } from "../models/chat.js";
import { confirm } from "./dialog.js";
import { people } from "./room-dialogs.js";

export class Stage {
  #chat;
  #dialogs;
  #outsider = $("[data-outsider]");
  #stages = [...document.querySelectorAll("[data-stage]")];
  #views = new Map(); // what the address says → the view that is shown for it
  #view = null; // the one that is shown now, by its address
  #tried = null; // the room not mine that was last asked about

  constructor(chat) {
    this.#chat = chat;
    addEventListener("hashchange", () => this.#route());
    chat.on("connected", () => this.#route({ stays: true }));
    chat.on("room", () => this.#draw());
    chat.on("gone", () => this.#leave());
    for (const back of document.querySelectorAll(".back"))
      back.addEventListener("click", (event) => {
        event.preventDefault();
        this.go(null);
      });
    testId("room-list").addEventListener("click", (event) => {
      // A link to the room that is open already changes no address, but may have to show it.
      if (event.target.closest("a")?.hash === location.hash) this.#route();
    });
    $("[data-skip]").addEventListener("click", () =>
      (chat.room ? testId("composer") : $(".stage")).focus(),
    );
  }

  /** A view with an address of its own; it is told by `show()` and `hide()` when it is on the page. */
  addView(address, view) {
    this.#views.set(address, view);
  }

  start(dialogs) {
    this.#dialogs = dialogs;
    this.#route();
  }

  /** Opens a room (null: none). Going through the address gives the browser's back button its sense. */
  go(roomId, { replace = false } = {}) {
    const address = roomId === null ? location.pathname : `#${encodeURIComponent(roomId)}`;
    if (replace || roomId === null) {
      history[replace ? "replaceState" : "pushState"](null, "", address);
      dispatchEvent(new Event("hashchange")); // as where the address is changed by a link
    } else if (roomId === this.#named()) {
      this.#route();
    } else {
      location.hash = address;
    }
  }

  /** The room that was open is there no more: whoever was in it is taken back to the list. */
  #leave() {
    const wasIn = $("[data-stage='room']").contains(document.activeElement);
    this.go(null, { replace: true });
    if (wasIn) $(".stage").focus({ preventScroll: true });
  }

  #named() {
    try {
      return decodeURIComponent(location.hash.slice(1)) || null;
    } catch {
      return null;
    }
  }

  /** `stays`: nobody went anywhere, so a narrow screen shows what it showed. */
  #route({ stays = false } = {}) {
    const named = this.#named();
    const roomId = this.#views.has(named) ? null : named;
    if (roomId !== this.#chat.roomId) this.#tried = null;
    if (!stays) document.body.dataset.view = named ? "room" : "list";
    this.#show(roomId === named ? null : named);
    if (roomId !== this.#chat.roomId || this.#chat.room) this.#chat.open(roomId);
    if (roomId && !this.#chat.room && this.#chat.rooms.loaded) this.#visit(roomId);
  }

  #show(view) {
    if (view !== this.#view) this.#views.get(this.#view)?.hide();
    this.#view = view;
    this.#draw();
    this.#views.get(view)?.show();
  }

  #draw() {
    const { room, roomId } = this.#chat;
    const stage = this.#view ?? (room ? "room" : roomId ? "outsider" : "welcome");
    if (!room) this.#outsider.replaceChildren();
    for (const section of this.#stages) section.hidden = section.dataset.stage !== stage;
  }

  async #visit(roomId) {
    if (this.#tried === roomId) return;
    this.#tried = roomId;
    try {
      const room = await this.#chat.fetchRoom(roomId);
      if (this.#chat.roomId === roomId && !this.#chat.room) this.#offer(room);
    } catch (problem) {
      if (this.#chat.roomId !== roomId || this.#chat.room) return;
      this.#chat.emit(
        "notice",
        problem.status === 404 ? "There is no such conversation." : problem.detail,
      );
      this.go(null, { replace: true });
    }
  }

  #offer(room) {
    const join = () =>
      this.#dialogs.join(room).catch((problem) => this.#chat.emit("notice", problem.detail));
    this.#outsider.replaceChildren(
      avatar(room.id, room.name, { group: true, size: "large" }),
      h("h2", {}, room.name),
      h("p", {}, [people(room.member_count), room.topic].filter(Boolean).join(" · ")),
      h(
        "p",
        { class: "placeholder-actions" },
        h(
          "button",
          { type: "button", class: "button primary", "data-testid": "join", onclick: join },
          "Join the group",
        ),
        this.#chat.runs(room) && this.#settingsButton(room),
      ),
      h("p", {}, h("a", { href: "/" }, "Back to my conversations")),
    );
  }

  /** A hub admin runs public groups without being in them. */
  #settingsButton(room) {
    const again = () => {
      this.#tried = null;
      this.#route();
    };
    const open = () => this.#dialogs.settings(room, again);
    const attributes = { type: "button", class: "button", "data-testid": "outside-settings" };
    return h("button", { ...attributes, onclick: open }, "Group settings");
  }
}

/** Logs out; what was not sent would be lost, so that is asked before. */
export function logOut(chat) {
  const unsent = chat.outbox.all().length;
  if (unsent === 0) return endLogin(chat);
  confirm({
    title: "Log out?",
    text: `${notSent(unsent)} Logging out deletes what is still waiting here.`,
    submitLabel: "Log out",
    submit: () => endLogin(chat),
  });
}

/** Leaves nothing of this person behind in the tab. */
async function endLogin(chat) {
  chat.loggingOut = true;
  try {
    await api.delete(path`/sessions/current`);
  } catch (problem) {
    chat.loggingOut = problem.status === 401;
    if (!chat.loggingOut) return chat.emit("notice", problem.detail);
  }
  leave(chat);
}

/** Once the login is over. */
export function leave(chat) {
  chat.outbox.clear();
  chat.drafts.clear();
  chat.composing.clear();
  location.assign("/login");
}
