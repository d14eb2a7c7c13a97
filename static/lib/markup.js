// The server's HTML of a text as nodes for the page. It is parsed into a document of its own, where
// nothing runs or loads, and only what a text may have is made anew from it: the second belt, should
// anything else ever get past the server's (core/markup.rs).

import { h } from "./dom.js";

const ELEMENTS = new Set([
  "p",
  "br",
  "strong",
  "em",
  "del",
  "code",
  "pre",
  "blockquote",
  "ul",
  "ol",
  "li",
  "a",
]);
const DEEPEST = 40;
const SAFE = /^(?:https?:\/\/|mailto:)/i;
const OUTSIDE = { rel: "nofollow noopener noreferrer", target: "_blank" };

/**
 * The nodes of `html`. `text(string)` makes nodes of a plain piece of text, and `block(pre)` may put
 * something around a block of code.
 */
export function fromHtml(html, { text = (string) => [string], block = (pre) => pre } = {}) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  return copies(body, { text, block, verbatim: false, depth: 0 });
}

function copies(parent, how) {
  if (how.depth > DEEPEST) return [parent.textContent];
  return [...parent.childNodes].flatMap((node) => copy(node, how));
}

function copy(node, how) {
  if (node.nodeType === Node.TEXT_NODE) return how.verbatim ? [node.data] : how.text(node.data);
  if (node.nodeType !== Node.ELEMENT_NODE) return [];
  const name = node.localName;
  const verbatim = how.verbatim || name === "code" || name === "pre" || name === "a";
  const inside = copies(node, { ...how, verbatim, depth: how.depth + 1 });
  // Of an element that is none of a text's, what it says is kept; a script says nothing.
  if (!ELEMENTS.has(name)) return name === "script" || name === "style" ? [] : inside;
  const element = h(name, attributesOf(node, name), ...inside);
  return [name === "pre" ? how.block(element) : element];
}

function attributesOf(node, name) {
  const href = node.getAttribute("href");
  if (name === "a" && href && SAFE.test(href)) return { href, ...OUTSIDE };
  if (name === "ol" && /^\d{1,9}$/.test(node.getAttribute("start")))
    return { start: node.getAttribute("start") };
  return {};
}
