// From messages to what stands on the page: day dividers, the mark where the unread ones begin, and
// lines that know whether they open or close a group of one sender's. Pure, so that it can be tested
// without a page.

import { dayKey } from "../lib/time.js";
import { isLater } from "../lib/position.js";
import { calls } from "./mentions.js";

const GROUP_MS = 5 * 60_000;
const NONE = []; // always the same, since rows are compared by identity

/**
 * `messages` in order, `waiting` the outbox's lines of the room, `unreadAfter` the position after
 * which lines count as new (or null), `seen` the people who have read up to a message, by its id,
 * and `direct` whether there can be but one. Each row has a `key` that stays the same when a waiting line
 * becomes a message.
 */
export function rowsOf(messages, waiting, { me, username = "", unreadAfter, seen, direct }) {
  const sent = new Set(messages.filter((m) => m.sender.id === me).map((m) => m.client_id));
  const lines = [
    ...messages.map((message) => messageLine(message, me, username)),
    ...waiting.filter((line) => !sent.has(line.clientId)).map((line) => waitingLine(line, me)),
  ];
  return withSeen(withDividers(lines, unreadAfter), seen, direct);
}

/** Below a line, who has read up to it. */
function withSeen(rows, seen, direct = false) {
  if (!seen?.size) return rows;
  return rows.flatMap((row) => {
    const people = row.kind === "line" && seen.get(row.id);
    if (!people) return [row];
    const names = people.map(({ id, name }) => `${id} ${name}`).join("\n");
    return [row, { kind: "seen", key: `s:${row.id}`, people, names, direct }];
  });
}

function messageLine(message, me, username) {
  const mine = message.sender.id === me;
  return {
    kind: "line",
    key: mine && message.client_id ? `c:${message.client_id}` : `m:${message.id}`,
    id: message.id,
    clientId: message.client_id ?? null,
    position: message.position,
    mine,
    senderId: message.sender.id,
    senderName: message.sender.display_name,
    body: message.deleted ? null : message.body,
    html: message.html ?? null,
    quote: message.quote ?? null,
    reactions: message.reactions ?? NONE,
    callsMe: !mine && calls(message.body, username),
    at: message.sent_at,
    state: "sent",
    detail: "",
    editedAt: message.deleted ? null : (message.edited_at ?? null),
  };
}

function waitingLine(line, me) {
  return {
    kind: "line",
    key: `c:${line.clientId}`,
    id: null,
    clientId: line.clientId,
    position: null,
    mine: true,
    senderId: me,
    senderName: "",
    body: line.body,
    html: null,
    quote: line.quote ?? null,
    reactions: NONE,
    callsMe: false,
    at: line.writtenAt,
    state: line.state,
    detail: line.detail,
    editedAt: null,
  };
}

function withDividers(lines, unreadAfter) {
  const rows = [];
  let unreadMarked = unreadAfter === null;
  let previous = null;
  for (const line of lines) {
    const newDay = !previous || dayKey(previous.at) !== dayKey(line.at);
    const startsUnread = !unreadMarked && !line.mine && isLater(line.position, unreadAfter);
    if (newDay) rows.push({ kind: "day", key: `d:${dayKey(line.at)}:${line.key}`, at: line.at });
    if (startsUnread) rows.push({ kind: "unread", key: "unread" });
    unreadMarked ||= startsUnread;
    line.first = newDay || startsUnread || !sameGroup(previous, line);
    line.last = true;
    if (previous && !line.first) previous.last = false;
    rows.push(line);
    previous = line;
  }
  return rows;
}

function sameGroup(a, b) {
  return a.senderId === b.senderId && Math.abs(new Date(b.at) - new Date(a.at)) < GROUP_MS;
}
