// A picture for those who have none: initials on one of twelve colours (css/avatar.css), always the
// same for the same id. A direct room wears the other person's.

import { h, icon } from "./dom.js";

const COLOURS = 12;

export function avatar(id, name, { status = null, group = false, size = "" } = {}) {
  return h(
    "span",
    { class: `avatar avatar-${colourOf(id)} ${group ? "avatar-group" : ""} ${size}`.trim() },
    h("span", { "aria-hidden": "true" }, initialsOf(name)),
    status && presenceDot(status),
  );
}

export function presenceDot(status) {
  return h("span", {
    class: "presence",
    "data-status": status,
    title: status,
    role: "img",
    "aria-label": status,
  });
}

export function visibilityIcon(room) {
  return icon(room.visibility === "public" ? "globe" : "lock");
}

function initialsOf(name) {
  const words = String(name ?? "")
    .split(/[\s._-]+/)
    .filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map(
    (word) => [...(word ?? "")][0],
  );
  return letters.join("").toLocaleUpperCase() || "?";
}

function colourOf(id) {
  let sum = 7;
  for (const char of String(id)) sum = (sum * 31 + char.codePointAt(0)) >>> 0;
  return sum % COLOURS;
}
