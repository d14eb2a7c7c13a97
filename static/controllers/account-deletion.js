// The end of my account. It asks for the password, since it cannot be taken back, and says which
// groups stand in the way.

import { Problem, api } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { openDialog, textField } from "./dialog.js";

/** `deleted()` is called when there is no account any more. */
export function deleteAccount(chat, deleted) {
  const password = textField("Your password", {
    type: "password",
    required: true,
    maxlength: 256,
    "data-testid": "delete-password",
    autocomplete: "current-password",
  });
  const held = h("div", { class: "held", "data-testid": "delete-held" });
  const dialog = openDialog({
    title: "Delete your account?",
    content: [
      h(
        "p",
        {},
        "You leave all groups, and your name, photo, password and logins are erased. Your user name becomes free. This cannot be undone.",
      ),
      h(
        "p",
        { class: "field-hint" },
        "What you wrote stays where it is, under the name “Deleted user”. Delete messages before if they should go, too.",
      ),
      password.field,
      held,
    ],
    submitLabel: "Delete my account",
    danger: true,
    submit: async () => {
      held.replaceChildren();
      chat.loggingOut = true; // the end of this login is no surprise
      try {
        await api.delete("/me", { password: password.input.value });
      } catch (problem) {
        chat.loggingOut = false;
        if (problem.code !== "last_admin") throw problem;
        held.replaceChildren(groups(problem.more.rooms ?? []));
        throw new Problem({
          ...problem,
          detail:
            "You are the only admin of these groups. Make somebody else an admin there first.",
        });
      }
      deleted();
    },
  });
  password.input.focus();

  function groups(rooms) {
    const link = ({ id, name }) =>
      h(
        "li",
        {},
        h("a", { href: `#${encodeURIComponent(id)}`, onclick: () => dialog.close() }, name),
      );
    return h("ul", {}, rooms.map(link));
  }
}
