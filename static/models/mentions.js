// Who is called by an `@name` in a text, by the server's rules (core/text.rs); and, while one is being
// typed, who may be meant. Pure.

const NAME = String.raw`[\p{Alphabetic}\p{N}_.\-]`;
const MENTION = new RegExp(`(?<!${NAME})@(${NAME}+)`, "gu");
const BEGUN = new RegExp(`(?<!${NAME})@(${NAME}*)$`, "u");

/** Everyone is called by this name. */
export const ALL = "all";

/** A text in pieces: `{ text, name }`, where `name` is whom the piece calls, or null. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(MENTION)) {
    const name = match[1].replace(/[.-]+$/, "");
    if (!name) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), name: null });
    from = match.index + 1 + name.length;
    found.push({ text: text.slice(match.index, from), name: name.toLowerCase() });
  }
  if (from < text.length) found.push({ text: text.slice(from), name: null });
  return found;
}

export function calls(text, username) {
  return Boolean(text?.includes("@")) && pieces(text).some(({ name }) => isFor(name, username));
}

/** Whether this name calls me. */
export function isFor(name, username) {
  return name !== null && (name === username.toLowerCase() || name === ALL);
}

/** The mention that ends at the caret: where its `@` stands and what follows it, or null. */
export function begunAt(text, caret) {
  const match = BEGUN.exec(text.slice(0, caret));
  return match && { at: match.index, query: match[1].toLowerCase() };
}

/** Members who may be meant: by user name first, then by a word of what they are called. */
export function matching(members, query, most) {
  const rank = ({ username, display_name }) => {
    if (username.toLowerCase().startsWith(query)) return 0;
    const words = display_name.toLowerCase().split(/\s+/);
    return words.some((word) => word.startsWith(query)) ? 1 : 2;
  };
  return members
    .map((member) => ({ member, rank: rank(member) }))
    .filter(({ rank }) => rank < 2)
    .sort((a, b) => a.rank - b.rank || a.member.display_name.localeCompare(b.member.display_name))
    .slice(0, most)
    .map(({ member }) => member);
}
