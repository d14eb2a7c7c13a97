// Until when somebody may not write in a room. A mute ends by itself, and no event tells of that, so
// everything here goes by the clock.

/** The end of a room's or member's mute, while it lasts; null where there is none any more. */
export function mutedUntil(muted, now = Date.now()) {
  const until = muted?.muted_until;
  return until && Date.parse(until) > now ? until : null;
}

const LONGEST_MS = 2 ** 31 - 1; // a timer that is set for longer goes off at once

/** Milliseconds until the first of these mutes ends, for a timer; null where none lasts. */
export function nextEnd(all, now = Date.now()) {
  const ends = all.map((muted) => mutedUntil(muted, now)).filter(Boolean);
  if (ends.length === 0) return null;
  const first = Math.min(...ends.map((end) => Date.parse(end)));
  return Math.min(first - now, LONGEST_MS);
}

/** Why something was not written; until when stands beside the box where lines are written. */
export const MUTED_NOW = "You are muted in this group for now.";

/** How long admins mute people. */
export const SPANS = [
  { minutes: 10, label: "10 min", spoken: "10 minutes" },
  { minutes: 60, label: "1 h", spoken: "1 hour" },
  { minutes: 24 * 60, label: "1 day", spoken: "1 day" },
  { minutes: 7 * 24 * 60, label: "1 week", spoken: "1 week" },
];
