// A person's picture, or, for those who have none, initials on one of twelve colours
// (css/avatar.css), always the same for the same id. A direct room wears the other person's.
//
// Whoever draws an avatar needs not know whether there is a picture: it is asked for once, and what
// stands on the page already is filled in when the answer comes, and again when it changes.

import { h, icon } from "./dom.js";

const COLOURS = 12;
const MOST = 5_000; // pictures known by their addresses; past it all are forgotten and asked for again

const pictures = new Map(); // user id → the address, or null for who has none
let ask = () => {};

/** `how(userId)` is called for people whose picture is not known; `showPicture` answers. */
export function askForPictures(how) {
  ask = how;
}

/** This person's picture is at this address now; null: there is none. */
export function showPicture(id, address) {
  if (pictures.get(id) === address) return;
  if (pictures.size >= MOST) pictures.clear();
  pictures.set(id, address);
  for (const element of document.querySelectorAll(`[data-avatar-of="${CSS.escape(id)}"]`))
    element.firstElementChild.replaceWith(face(id, element.dataset.initials));
}

/** What is known may have changed; answers those who are on the page. */
export function forgetPictures() {
  pictures.clear();
  const shown = document.querySelectorAll("[data-avatar-of]");
  return [...new Set([...shown].map((element) => element.dataset.avatarOf))];
}

/** The address of a person's picture, as far as it is known. */
export function pictureOf(id) {
  return pictures.get(id) ?? null;
}

export function avatar(id, name, { status = null, group = false, size = "" } = {}) {
  const initials = initialsOf(name);
  if (!group && !pictures.has(id)) ask(id);
  return h(
    "span",
    {
      class: `avatar avatar-${colourOf(id)} ${group ? "avatar-group" : ""} ${size}`.trim(),
      "data-avatar-of": group ? null : id,
      "data-initials": group ? null : initials,
    },
    group ? letters(initials) : face(id, initials),
    status && presenceDot(status),
  );
}

function face(id, initials) {
  const address = pictures.get(id);
  if (!address) return letters(initials);
  const image = h("img", { src: address, alt: "", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(letters(initials)));
  return image;
}

function letters(initials) {
  return h("span", { "aria-hidden": "true" }, initials);
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
