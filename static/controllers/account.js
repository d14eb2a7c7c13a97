// My own account: my name in the sidebar's foot leads to a dialog with what others see of me, and
// from there to the password, my logins and the end of it all, each a dialog of its own.

import { api } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { $, h, icon, testId } from "../lib/dom.js";
import { openDialog, switchField, textField } from "./dialog.js";
import { deleteAccount } from "./account-deletion.js";
import { showLogins } from "./account-logins.js";
import { changePassword } from "./account-password.js";
import { photoField } from "./account-photo.js";

export class Account {
  #chat;
  #logOut;
  #leave;
  #switches = [];
  #button = testId("account");
  name = document.body.dataset.displayName;

  /** `logOut()` asks and logs out here; `leave()` is called when the account is gone. */
  constructor(chat, { logOut, leave }) {
    this.#chat = chat;
    this.#logOut = logOut;
    this.#leave = leave;
    chat.on("me", (user) => this.#took(user));
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
        photoField(this.#chat.me, this.name, (user) => this.#took(user)),
        name.field,
        h("p", { class: "field-hint account-username" }, `Your user name is @${username}.`),
        ...this.#switches.map(switchField),
        h(
          "ul",
          { class: "account-ways" },
          this.#way("account-password", "lock", "Change the password", () => {
            dialog.close();
            changePassword(this.#chat);
          }),
          this.#way("account-logins", "screen", "Where you are logged in", () => {
            dialog.close();
            showLogins(this.#logOut);
          }),
          this.#way(
            "account-delete",
            "trash",
            "Delete my account",
            () => {
              dialog.close();
              deleteAccount(this.#chat, this.#leave);
            },
            "quiet-danger",
          ),
        ),
      ],
      submitLabel: "Save",
      submit: () => this.#rename(name.input.value.trim()),
    });
  }

  #way(id, symbol, label, go, className = null) {
    const attributes = { type: "button", class: className, "data-testid": id, onclick: go };
    return h("li", {}, h("button", attributes, icon(symbol), label));
  }

  async #rename(name) {
    if (name === this.name) return;
    const { user } = await api.patch("/me", { display_name: name });
    this.#took(user);
  }

  /** My account as an answer or an event has it. */
  #took(user) {
    this.#chat.people.take(user);
    this.name = user.display_name;
    this.#draw();
  }

  #draw() {
    $("[data-my-avatar]").replaceChildren(avatar(this.#chat.me, this.name));
    $(".me-name").textContent = this.name;
  }
}
