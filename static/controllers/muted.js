// Where lines are written, for who may not for a while: the box rests, and a line says until when. No
// event tells that a mute is over, so a timer brings the box back.

import { $, coalesce, testId } from "../lib/dom.js";
import { moment } from "../lib/time.js";
import { mutedUntil, nextEnd } from "../models/mutes.js";

const MARGIN_MS = 250; // the server's clock has the last word

export class Muted {
  #chat;
  #note = testId("muted");
  #text = $("[data-muted-text]");
  #box = $(".composer-box");
  #input = testId("composer");
  #timer = 0;

  constructor(chat) {
    this.#chat = chat;
    const render = coalesce(() => this.#draw());
    chat.rooms.on("change", render);
    chat.on("room", () => this.#draw());
  }

  #draw() {
    const { room } = this.#chat;
    const until = mutedUntil(room);
    const text = until ? `You are muted until ${moment(until)}. You can still read and react.` : "";
    clearTimeout(this.#timer);
    if (until) this.#timer = setTimeout(() => this.#draw(), nextEnd([room]) + MARGIN_MS);
    if (this.#text.textContent === text) return;
    this.#text.textContent = text;
    this.#note.hidden = !until;
    this.#box.inert = Boolean(until);
    this.#input.disabled = Boolean(until);
  }
}
