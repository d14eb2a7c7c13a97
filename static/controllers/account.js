// My own account: my name in the sidebar's foot leads to a dialog with what others see of me, and
// from there to the password, my logins and the end of it all, each a dialog of its own.

import { api } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { $, h, icon, testId } from "../lib/dom.js";
import { openDialog, switchField, textField } from "./dialog.js";
import { changePassword } from "./account-password.js";

export class Account {
  #chat;
  #switches = [];
  #button = testId("account");
  name = document.body.dataset.displayName;

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener("click", () => this.open());
    this.#draw();
  }

  /** What another part of the page lets me choose: `{ label, hint, isOn(), set(on) }`, kept at once. */
  addSwitch(choice) {
    this.#switches.push(choice);
  }

  open() {
    const { username } = this.#chat;
    const name = textField("Display name", {
      "data-testid": "account-name",
      maxlength: 50,
      required: true,
      value: this.name,
      autocomplete: "name",
    });
    const dialog = openDialog({
      title: "Your account",
      content: [
        h(
          "div",
          { class: "account-face" },
          avatar(this.#chat.me, this.name, { size: "large" }),
          h("p", { class: "account-names" }, h("strong", {}, this.name), `@${username}`),
        ),
        name.field,
        ...this.#switches.map(switchField),
        h(
          "ul",
          { class: "account-ways" },
          this.#way("account-password", "lock", "Change the password", () => {
            dialog.close();
            changePassword(this.#chat);
          }),
        ),
      ],
      submitLabel: "Save",
      submit: () => this.#rename(name.input.value.trim()),
    });
  }

  #way(id, symbol, label, go) {
    return h(
      "li",
      {},
      h("button", { type: "button", "data-testid": id, onclick: go }, icon(symbol), label),
    );
  }

  async #rename(name) {
    if (name === this.name) return;
    const { user } = await api.patch("/me", { display_name: name });
    this.name = user.display_name;
    this.#draw();
  }

  #draw() {
    $("[data-my-avatar]").replaceChildren(avatar(this.#chat.me, this.name));
    $(".me-name").textContent = this.name;
  }
}
