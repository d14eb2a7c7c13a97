// A new password for my account. It ends all of my other logins, as whoever changes a password
// because somebody else knows it expects.

import { api, Problem } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { openDialog, textField } from "./dialog.js";

export function changePassword(chat) {
  const field = (label, testId, autocomplete) =>
    textField(label, {
      type: "password",
      required: true,
      maxlength: 256,
      "data-testid": testId,
      autocomplete,
    });
  const current = field("Current password", "password-current", "current-password");
  const next = field("New password", "password-new", "new-password");
  const again = field("New password, once more", "password-again", "new-password");
  // Password managers look for whose it is.
  const whose = h("input", {
    autocomplete: "username",
    value: chat.username,
    hidden: true,
    readonly: true,
  });
  openDialog({
    title: "Change the password",
    content: [
      whose,
      current.field,
      next.field,
      again.field,
      h("p", { class: "field-hint" }, "Your other devices will be logged out."),
    ],
    submitLabel: "Change the password",
    submit: async () => {
      if (next.input.value !== again.input.value)
        throw new Problem({ code: "not_the_same", detail: "The new passwords are not the same." });
      await api.put("/me/password", { current: current.input.value, new: next.input.value });
      chat.emit("notice", "Your password is changed. Your other devices are logged out.");
    },
  });
  current.input.focus();
}
