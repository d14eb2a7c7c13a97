// What a line says, as nodes: its HTML where the server made some, or else its text; in both the names
// it calls stand out. What cannot be text never becomes anything else here.

import { h, icon } from "../lib/dom.js";
import { fromHtml } from "../lib/markup.js";
import { isFor, pieces } from "../models/mentions.js";
import { copyText } from "./line-menu.js";

const COPIED_MS = 1_500;

export function lineText(row, username) {
  const text = (string) => withMentions(string, username);
  if (row.body === null) return h("div", { class: "body" }, "Message deleted");
  if (row.html === null) return h("div", { class: "body", dir: "auto" }, ...text(row.body));
  const nodes = fromHtml(row.html, { text, block: codeBlock });
  return h("div", { class: "body rendered", dir: "auto" }, ...nodes);
}

function withMentions(string, username) {
  if (!string.includes("@")) return [string];
  return pieces(string).map(({ text, name }) => {
    if (name === null) return text;
    const mine = isFor(name, username);
    return h("span", { class: mine ? "mention me" : "mention" }, text);
  });
}

/** It scrolls by itself, so a keyboard has to reach it. */
function codeBlock(pre) {
  pre.tabIndex = 0;
  const button = h(
    "button",
    {
      type: "button",
      class: "icon-button code-copy",
      "data-testid": "code-copy",
      "aria-label": "Copy the code",
      title: "Copy the code",
    },
    icon("copy"),
  );
  button.addEventListener("click", async () => {
    if (!(await copyText(pre.textContent.replace(/\n$/, "")))) return;
    button.replaceChildren(icon("check"));
    setTimeout(() => button.replaceChildren(icon("copy")), COPIED_MS);
  });
  return h("div", { class: "code-block" }, pre, button);
}
