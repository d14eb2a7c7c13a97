// Where I am logged in, and the way to end what I do not know, or have left behind.

import { api, path } from "../lib/api.js";
import { focusFirst, h, icon } from "../lib/dom.js";
import { ago, exactly } from "../lib/time.js";
import { describeAgent } from "../lib/user-agent.js";
import { openDialog } from "./dialog.js";

export function showLogins(logOut) {
  const list = h("ul", { class: "logins", "data-testid": "logins", "aria-label": "Logins" });
  const note = h("p", { class: "people-note", role: "status" }, "Loading…");
  const others = h(
    "button",
    {
      type: "button",
      class: "button quiet-danger",
      "data-testid": "logins-end-others",
      hidden: true,
      onclick: () => act(() => api.delete("/me/sessions")),
    },
    "Log out everywhere else",
  );
  openDialog({
    title: "Where you are logged in",
    content: [
      h(
        "p",
        { class: "field-hint" },
        "Log out what you do not know, and change your password then.",
      ),
      list,
      note,
      others,
    ],
  });

  async function load() {
    const { sessions } = await api.get("/me/sessions");
    // This device first; the others as the server has them, the one used last first.
    sessions.sort((a, b) => Number(b.current) - Number(a.current));
    list.replaceChildren(...sessions.map(login));
    others.hidden = sessions.length < 2;
    note.textContent = sessions.length < 2 ? "You are logged in nowhere else." : "";
  }

  async function act(change) {
    const button = document.activeElement;
    try {
      await change();
      await load();
      // What was pressed may be gone.
      if (!button.isConnected || button.hidden) focusFirst(list.querySelector("button"));
    } catch (problem) {
      if (!problem.detail) throw problem;
      note.textContent = problem.detail;
    }
  }

  function login(session) {
    const { text, mobile } = describeAgent(session.user_agent);
    const used = session.last_used_at ?? session.created_at;
    const when = session.current ? "In use now" : `Last used ${ago(used)}`;
    const name = h("strong", { title: session.user_agent }, text);
    return h(
      "li",
      { class: "login", "data-login-id": session.id },
      icon(mobile ? "phone" : "screen"),
      h(
        "div",
        {},
        h("p", {}, name, session.current && h("span", { class: "login-here" }, "This device")),
        h(
          "p",
          { class: "field-hint", title: `Logged in ${exactly(session.created_at)}` },
          [when, session.address].filter(Boolean).join(" · "),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "button small",
          "data-testid": "login-end",
          "aria-label": `Log out ${text}${session.current ? ", this device" : ""}`,
          onclick: () =>
            session.current ? logOut() : act(() => api.delete(path`/me/sessions/${session.id}`)),
        },
        "Log out",
      ),
    );
  }

  act(() => {});
}
