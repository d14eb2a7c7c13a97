// What I wrote for conversations that are not mine any more. It stands in no room, so the list says
// how much there is, and a dialog shows it, to be copied or deleted: nothing vanishes by itself.

import { $, h, testId } from "../lib/dom.js";
import { timeElement } from "../lib/time.js";
import { openDialog } from "./dialog.js";

export class Unsent {
  #chat;
  #button = testId("unsent");
  #text = $("[data-unsent-text]");
  #dialog = null;
  #list = h("ul", { class: "unsent-lines", "aria-label": "Messages that were not sent" });

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener("click", () => this.#open());
    chat.outbox.on("change", () => this.#draw());
    chat.rooms.on("change", () => this.#draw());
  }

  #draw() {
    const count = this.#chat.stranded().length;
    this.#button.hidden = count === 0;
    this.#text.textContent = count === 1 ? "1 message not sent" : `${count} messages not sent`;
    if (this.#dialog) this.#fill();
  }

  #open() {
    this.#fill();
    this.#dialog = openDialog({
      title: "Not sent",
      content: [
        h("p", {}, "These messages could not be sent. They are kept in this tab only."),
        this.#list,
      ],
      closed: () => (this.#dialog = null),
    });
  }

  #fill() {
    const lines = this.#chat.stranded();
    if (lines.length === 0) this.#dialog?.close();
    this.#list.replaceChildren(...lines.map((line) => this.#item(line)));
  }

  #item(line) {
    const remove = () => this.#chat.outbox.settle(line.clientId);
    return h(
      "li",
      { "data-client-id": line.clientId },
      h(
        "p",
        { class: "unsent-head" },
        h("strong", {}, line.roomName || "A conversation"),
        timeElement(line.writtenAt),
      ),
      h("p", { class: "unsent-body", dir: "auto" }, line.body),
      h(
        "p",
        { class: "unsent-foot" },
        h("span", {}, line.state === "failed" ? line.detail : "Waiting to be sent."),
        h(
          "span",
          { class: "unsent-actions" },
          // A page served over plain HTTP from another machine has no clipboard; the text can be selected.
          navigator.clipboard && action("Copy", "copy", (button) => copy(line.body, button)),
          action("Delete", "discard", remove),
        ),
      ),
    );
  }
}

function action(label, hook, act) {
  const button = h("button", { type: "button", class: "link-button", "data-testid": hook }, label);
  button.addEventListener("click", () => act(button));
  return button;
}

async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
}
