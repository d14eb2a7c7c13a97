// What a page knows of mutes, and how it puts what somebody did to a group.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { sentence } from "../../static/models/deeds.js";
import { Members } from "../../static/models/members.js";
import { mutedUntil, nextEnd } from "../../static/models/mutes.js";
import { Outbox } from "../../static/models/outbox.js";
import { Rooms, runs } from "../../static/models/rooms.js";

const SOON = "2030-01-01T00:00:10.000Z";
const LATER = "2030-01-01T01:00:00.000Z";
const NOW = Date.parse("2030-01-01T00:00:00.000Z");
const BOB = { user_id: "2", username: "bob", display_name: "Bob", role: "member" };

function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

describe("a mute", () => {
  test("lasts until its end, to the millisecond", () => {
    const room = { muted_until: SOON };
    assert.equal(mutedUntil(room, NOW), SOON);
    assert.equal(mutedUntil(room, NOW + 9_999), SOON);
    assert.equal(mutedUntil(room, NOW + 10_000), null);
    assert.equal(mutedUntil({}, NOW), null);
    assert.equal(mutedUntil(undefined, NOW), null);
  });

  test("is waited for: the first to end, and never longer than a timer can", () => {
    assert.equal(nextEnd([{ muted_until: LATER }, { muted_until: SOON }, {}], NOW), 10_000);
    assert.equal(nextEnd([{ muted_until: SOON }], NOW + 10_000), null);
    assert.ok(nextEnd([{ muted_until: "2031-01-01T00:00:00.000Z" }], NOW) < 2 ** 31);
  });

  test("comes and goes with events of mine, and those of others are not mine", () => {
    const rooms = new Rooms("2");
    rooms.put({ id: "1", kind: "group", name: "R", role: "member", position: "5" });
    const event = (position, member) =>
      rooms.apply({ type: "member_updated", room: "1", position, member });
    const until = () => rooms.get("1").muted_until;
    event("6", { ...BOB, user_id: "3", muted_until: LATER });
    assert.equal(until(), null);
    event("7", { ...BOB, muted_until: LATER });
    assert.equal(until(), LATER);
    event("8", BOB);
    assert.equal(until(), null);
    event("9", { ...BOB, muted_until: SOON });
    rooms.put({ id: "1", kind: "group", name: "R", role: "member", position: "9" });
    assert.equal(until(), null, "the server's room is as new, and says nothing of it");
    event("10", { ...BOB, muted_until: SOON });
    rooms.put({ id: "1", kind: "group", name: "R", role: "member", position: "8" });
    assert.equal(until(), SOON, "an older answer takes nothing back");
  });

  test("shows in the list of members until an event without it", async () => {
    const members = new Members({ get: async () => ({ members: [BOB] }) });
    await members.load("1");
    const event = (member) => members.apply({ type: "member_updated", room: "1", member });
    event({ ...BOB, muted_until: LATER });
    assert.equal(members.list()[0].muted_until, LATER);
    event(BOB);
    assert.equal(mutedUntil(members.list()[0], NOW), null);
  });
});

test("a line that a mute refuses stays with its author, and says why", async () => {
  const refused = {
    code: "muted",
    detail: "an admin has muted you until 2030-01-01T00:00:10.000Z",
  };
  const outbox = new Outbox({ me: "2", storage: storage(), send: () => Promise.reject(refused) });
  const told = new Promise((resolve) => outbox.on("refused", resolve));
  outbox.add("1", "but", { roomName: "R" });
  outbox.flush();
  assert.deepEqual(await told, { room: "1", code: "muted" });
  const [line] = outbox.of("1");
  assert.deepEqual([line.state, line.body], ["failed", "but"]);
  assert.equal(line.detail, "You are muted in this group for now.");
});

test("a hub admin runs public groups, and nothing else that they do not run anyway", () => {
  const room = (kind, visibility, role) => ({ kind, visibility, role });
  assert.equal(runs(room("group", "private", "admin"), false), true);
  assert.equal(runs(room("group", "public", "member"), true), true);
  assert.equal(runs(room("group", "public", "member"), false), false);
  assert.equal(runs(room("group", "private", "member"), true), false);
  assert.equal(runs(room("direct", "private", "member"), true), false);
  assert.equal(Boolean(runs(undefined, true)), false);
});

describe("what somebody did", () => {
  const names = { 1: "Alice", 3: "Carol" };
  const say = (entry, me = "9") => sentence(entry, { me, nameOf: (id) => names[id] ?? null });
  const about = (action, more = {}, by = "1") => ({ action, by, member: BOB, at: SOON, ...more });

  test("is told of its doer and whom it is about", () => {
    assert.equal(say(about("member_removed")), "Alice removed Bob");
    assert.equal(say(about("member_removed", { ban: true })), "Alice banned Bob");
    assert.equal(say(about("member_banned")), "Alice banned Bob");
    assert.equal(say(about("member_added")), "Alice added Bob");
    assert.equal(say(about("member_unmuted")), "Alice lifted the mute of Bob");
    const admin = { member: { ...BOB, role: "admin" } };
    assert.equal(say(about("member_added", admin)), "Alice added Bob as an admin");
    assert.equal(say(about("member_updated", admin)), "Alice made Bob an admin");
    assert.equal(say(about("member_updated")), "Alice made Bob an ordinary member");
    const message = { sender: { id: "3", display_name: "Carol" } };
    const deleted = { action: "deleted", by: "1", at: SOON, message };
    assert.equal(say(deleted), "Alice deleted a message of Carol");
  });

  test("is told in another way of oneself", () => {
    assert.equal(say(about("member_removed"), "1"), "You removed Bob");
    assert.equal(say(about("member_removed"), "2"), "Alice removed you");
    assert.equal(say(about("member_removed", {}, "2"), "2"), "You left");
    assert.equal(say({ ...about("member_added", {}, "2") }), "Somebody joined");
  });

  test("has the length of a mute in the largest unit that fits", () => {
    const mute = (minutes) => {
      const muted_until = new Date(Date.parse(SOON) + minutes * 60_000 - 3).toISOString();
      return say(about("member_muted", { member: { ...BOB, muted_until } }));
    };
    assert.match(mute(10), /^Alice muted Bob for 10 minutes, until .+/);
    assert.match(mute(1), / for 1 minute,/);
    assert.match(mute(60), / for 1 hour,/);
    assert.match(mute(90), / for 90 minutes,/);
    assert.match(mute(24 * 60), / for 1 day,/);
    assert.match(mute(3 * 24 * 60), / for 3 days,/);
    assert.match(mute(7 * 24 * 60), / for 1 week,/);
  });

  test("has what changed of a group, and only that", () => {
    const changed = (changes) =>
      say({ action: "room_updated", by: "1", at: SOON, changes, info: { name: "R" } });
    assert.equal(changed({ name: "S" }), "Alice renamed the group to “S”");
    assert.equal(changed({ topic: "" }), "Alice removed the topic");
    assert.equal(
      changed({ name: "S", topic: "T", visibility: "public" }),
      "Alice renamed the group to “S”, set the topic to “T” and made the group public",
    );
    assert.equal(changed(undefined), "Alice changed the group", "as older hubs wrote it");
    const made = { action: "room_created", by: "1", at: SOON, info: { name: "R" } };
    assert.equal(say(made), "Alice made the group “R”");
  });

  test("says when it was done as a hub admin, and is a sentence whatever it was", () => {
    assert.equal(
      say(about("member_removed", { hub_admin: true })),
      "Alice removed Bob, as a hub admin",
    );
    assert.equal(say(about("hologram")), "Alice changed the group");
  });
});
