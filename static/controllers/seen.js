// Under a line: who has read up to it. Between two it is a word, in a group small pictures.

import { avatar } from "../lib/avatar.js";
import { h } from "../lib/dom.js";

const SHOWN = 5; // pictures; of more it is said how many

/** `row.people` are `{ id, name }`. */
export function fillSeen(element, { people, direct }) {
  const names = `Seen by ${people.map(({ name }) => name).join(", ")}`;
  element.className = direct ? "seen" : "seen has-faces";
  element.title = names;
  element.dataset.testid = "seen";
  // It changes all the time, which need not be said aloud.
  element.setAttribute("aria-live", "off");
  if (direct) return element.replaceChildren(h("span", {}, "Seen"));
  const more = people.length - SHOWN;
  element.replaceChildren(
    h("span", { class: "sr-only" }, names),
    h(
      "span",
      { class: "faces", "aria-hidden": "true" },
      ...people.slice(0, SHOWN).map(({ id, name }) => avatar(id, name, { size: "tiny" })),
      more > 0 && h("span", { class: "faces-more" }, `+${more}`),
    ),
  );
}
