// Who is here and who is not, as the page tells it: when it says that somebody is at it, what it
// calls a time, and how it keeps the contacts true.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { presenceText } from "../../static/lib/presence.js";
import { Attention } from "../../static/models/attention.js";
import { Contacts } from "../../static/models/contacts.js";
import { Presence } from "../../static/models/presence.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe("input is told", () => {
  test("once a minute, and at once after being away", () => {
    const told = [];
    let now = 0;
    const attention = new Attention(() => told.push(now / SECOND), 0);
    const input = (seconds) => attention.noticed((now = seconds * SECOND));
    for (const second of [1, 30, 59, 60, 61, 119, 121, 122]) input(second);
    assert.deepEqual(told, [60, 121]);
    assert.ok(!attention.isAway(400 * SECOND));
    assert.ok(attention.isAway(422 * SECOND));
    input(430);
    assert.deepEqual(told, [60, 121, 430]);
    assert.ok(!attention.isAway(431 * SECOND));
  });

  test("more often where one is away sooner", () => {
    let told = 0;
    const attention = new Attention(() => (told += 1), 0);
    attention.greeted({ away_seconds: 30 }, 0);
    for (let second = 1; second <= 60; second += 1) attention.noticed(second * SECOND);
    assert.equal(told, 6);
    assert.ok(attention.isAway(90 * SECOND));
  });

  test("after a hello that said nobody is there, with the first touch", () => {
    let told = 0;
    const attention = new Attention(() => (told += 1), 0);
    attention.greeted({ away_seconds: 300 }, 400 * SECOND);
    attention.noticed(401 * SECOND);
    assert.equal(told, 1);
    // A hello with somebody there was input by itself.
    attention.greeted({ away_seconds: 300 }, 500 * SECOND);
    attention.noticed(510 * SECOND);
    assert.equal(told, 1);
  });
});

test("times as one says them", () => {
  const now = new Date(2026, 10, 20, 15, 0).getTime(); // a Friday
  const seen = (ago) => presenceText("offline", new Date(now - ago).toISOString(), now);
  assert.equal(presenceText("online", null, now), "Online");
  assert.equal(presenceText("away", null, now), "Away");
  assert.equal(presenceText("offline", null, now), "Offline");
  assert.equal(seen(20 * SECOND), "Last seen just now");
  assert.equal(seen(-5 * SECOND), "Last seen just now", "clocks differ");
  assert.equal(seen(MINUTE), "Last seen 1 minute ago");
  assert.equal(seen(5 * MINUTE), "Last seen 5 minutes ago");
  assert.equal(seen(HOUR), "Last seen 1 hour ago");
  assert.equal(seen(3.5 * HOUR), "Last seen 3 hours ago");
  assert.match(seen(8 * HOUR), /^Last seen today at 0?7:00/);
  assert.match(seen(24 * HOUR), /^Last seen yesterday at 0?3:00/);
  assert.match(seen(4 * 24 * HOUR), /^Last seen on Monday at /);
  assert.match(seen(30 * 24 * HOUR), /^Last seen on .*(Oct|10)/);
});

/** A directory of these names; `here` are the statuses of who is here. */
function hub(names) {
  const directory = names.map((name) => person(name));
  const presence = new Presence();
  const server = { directory, asked: [], down: false };
  const api = {
    async get(path, query) {
      server.asked.push(query);
      if (server.down) throw Object.assign(new Error("down"), { detail: "out of reach" });
      let fits = server.directory.filter(({ username }) => username.includes(query.query ?? ""));
      if (query.status) fits = fits.filter(({ id }) => presence.statusOf(id) !== "offline");
      if (query.after) fits = fits.filter(({ username }) => username > query.after);
      const users = fits.slice(0, query.limit);
      return fits.length > users.length ? { users, next: users.at(-1).username } : { users };
    },
  };
  return { server, presence, contacts: new Contacts({ api, presence, me: "me" }) };
}

function person(name) {
  const last_seen = name === "gone" ? "2026-11-20T12:00:00.000Z" : null;
  return { id: name, username: name, display_name: name, status: "offline", last_seen };
}

function ids(users) {
  return users.map(({ id }) => id);
}

function is(presence, id, status, last_seen = null) {
  presence.update([{ user_id: id, status, last_seen }]);
}

describe("the contacts", () => {
  test("have those who are here on top, and not me", async () => {
    const { contacts, presence } = hub(["ann", "bob", "cleo", "gone", "me"]);
    is(presence, "bob", "away");
    is(presence, "cleo", "online");
    is(presence, "me", "online");
    await contacts.search("");
    assert.deepEqual(ids(contacts.here()), ["cleo", "bob"], "online before away");
    assert.deepEqual(ids(contacts.others()), ["ann", "gone"]);
    assert.equal(contacts.hereCount(), 2);
    assert.equal(presence.lastSeen("gone"), "2026-11-20T12:00:00.000Z");

    is(presence, "cleo", "offline", "2026-11-20T13:00:00.000Z");
    assert.deepEqual(ids(contacts.here()), ["bob"]);
    assert.deepEqual(ids(contacts.others()), ["ann", "cleo", "gone"], "in their place by name");
  });

  test("ask who somebody unknown is who came", async () => {
    const { contacts, presence, server } = hub(["ann"]);
    await contacts.search("");
    const before = server.asked.length;
    is(presence, "ann", "online");
    await contacts.learn();
    assert.equal(server.asked.length, before, "she is known");
    server.directory.push(person("zoe"));
    is(presence, "zoe", "online");
    await contacts.learn();
    assert.deepEqual(ids(contacts.here()), ["ann", "zoe"]);
  });

  test("come page by page, each once, and a refresh keeps what was loaded", async () => {
    const names = Array.from({ length: 120 }, (_, at) => `p${String(at).padStart(3, "0")}`);
    const { contacts, server } = hub(names);
    await contacts.search("");
    assert.equal(contacts.others().length, 50);
    await contacts.more();
    server.directory.push(person("p000a"), person("p119a"));
    server.directory.sort((a, b) => (a.username < b.username ? -1 : 1));
    await contacts.refresh();
    assert.ok(ids(contacts.others()).includes("p000a"));
    while (contacts.hasMore) await contacts.more();
    assert.deepEqual(ids(contacts.others()), ids(server.directory));
  });

  test("found late do not replace what was asked for after", async () => {
    const { contacts } = hub(["ann", "bob"]);
    await Promise.all([contacts.search("ann"), contacts.search("bob")]);
    assert.deepEqual(ids(contacts.others()), ["bob"]);
    assert.deepEqual(contacts.here(), []);
  });

  test("say so when they cannot be had, and come with the next refresh", async () => {
    const { contacts, server } = hub(["ann"]);
    server.down = true;
    await contacts.search("");
    assert.deepEqual([contacts.state, contacts.problem.detail], ["failed", "out of reach"]);
    server.down = false;
    await contacts.refresh();
    assert.deepEqual(ids(contacts.others()), ["ann"]);
  });
});
