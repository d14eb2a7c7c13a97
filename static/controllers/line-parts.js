// What stands around the text of a line: what it replies to, the reactions to it, and the buttons for
// what can be done with it.

import { h, icon } from "../lib/dom.js";
import { nameOf } from "../lib/emoji.js";

/** Not said aloud with every line that comes, since the menu has them, too. */
const MOUSE_ONLY = { "aria-hidden": "true" };

/** The message that a line replies to, in short; a click leads there. */
export function quoteOf({ id, sender, body, deleted }, onJump) {
  const text = deleted ? "Message deleted" : body;
  return h(
    "button",
    {
      type: "button",
      class: deleted ? "quote is-deleted" : "quote",
      "data-testid": "quote",
      title: "Go to this message",
      onclick: () => onJump(id),
    },
    h("span", { class: "quote-sender" }, sender.display_name),
    h("span", { class: "quote-text", dir: "auto" }, text),
  );
}

/** How many reacted with what; a click adds mine or takes it back. */
export function reactionsOf(row, onReact) {
  if (row.reactions.length === 0) return null;
  const chips = row.reactions.map(({ emoji, count, mine }) =>
    h(
      "button",
      {
        type: "button",
        class: "reaction",
        "data-testid": "reaction",
        "data-emoji": emoji,
        "aria-pressed": String(mine),
        "aria-label": `${nameOf(emoji)}, ${count}${mine ? ", with mine" : ""}`,
        onclick: () => onReact(row, emoji, !mine),
      },
      h("span", { class: "reaction-emoji", "aria-hidden": "true" }, emoji),
      h("span", { class: "reaction-count", "aria-hidden": "true" }, String(count)),
    ),
  );
  return h("div", { class: "reactions", role: "group", "aria-label": "Reactions" }, ...chips);
}

/** Two short ways for the mouse, and the menu, which has these as well. */
export function actionsOf(row, on) {
  const button = (name, label, symbol, act, more) =>
    h(
      "button",
      {
        type: "button",
        class: `icon-button ${name}`,
        "data-testid": name,
        "aria-label": label,
        title: label,
        tabindex: "-1",
        onclick: ({ currentTarget }) => act(row, currentTarget),
        ...more,
      },
      icon(symbol),
    );
  return h(
    "div",
    { class: "line-actions" },
    button("line-react", "React", "smile", on.palette, MOUSE_ONLY),
    button("line-reply", "Reply", "reply", on.reply, MOUSE_ONLY),
    button("line-more", "What to do with this message", "more", on.menu, {
      "aria-haspopup": "menu",
    }),
  );
}
