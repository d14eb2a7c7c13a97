// What is unread and what was read, as a page knows it. Me is Bob, who is 2.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { Emitter } from "../../static/lib/emitter.js";
import { Chat } from "../../static/models/chat.js";
import { compareMarkers } from "../../static/models/markers.js";
import { Receipts } from "../../static/models/receipts.js";
import { Rooms } from "../../static/models/rooms.js";
import { rowsOf } from "../../static/models/rows.js";
import { Timeline } from "../../static/models/timeline.js";

const ME = "2";

beforeEach(() => {
  globalThis.sessionStorage = { getItem: () => null, setItem() {}, removeItem() {} };
});

describe("a marker", () => {
  const read = (read_position, read_version) => event("read", { read_position, read_version });

  test("is later by its version first", () => {
    const markers = [
      { read_version: 1, read_position: "4" },
      { read_position: "30" },
      { read_version: 1, read_position: "20" },
      { read_version: 0, read_position: "9" },
    ];
    const order = markers.toSorted(compareMarkers).map((marker) => marker.read_position);
    assert.deepEqual(order, ["9", "30", "4", "20"]);
  });

  test("ends at the same place in whatever order it is heard", () => {
    const told = [read("9", 0), read("3", 1), read("5", 1), read("2", 2), read("6", 2)];
    for (let round = 0; round < 200; round++) {
      const rooms = listed({ read_position: "1", last_message: message("9") });
      for (const event of shuffled([...told, ...told])) rooms.apply(event);
      const { read_position, read_version } = rooms.get("1");
      assert.deepEqual([read_position, read_version], ["6", 2]);
    }
  });

  test("of an older instance, without a version, moves within the one that is known", () => {
    const rooms = listed({ read_position: "3", read_version: 4, last_message: message("9") });
    rooms.apply(event("read", { read_position: "9" }));
    assert.deepEqual([rooms.get("1").read_position, rooms.get("1").read_version], ["9", 4]);
  });

  test("of somebody else is not mine", () => {
    const rooms = listed({ unread: 2, read_position: "3" });
    rooms.apply(event("read", { user_id: "1", read_position: "9" }));
    assert.deepEqual([rooms.get("1").unread, rooms.get("1").read_position], [2, "3"]);
  });
});

describe("counts", () => {
  test("tell what calls me from what does not", () => {
    const rooms = listed({});
    rooms.apply(said("10"));
    rooms.apply(said("11", { mentions: ["1", ME] }));
    rooms.apply(said("12", { mentions: ["1"] }));
    rooms.apply(said("13", { mentions_all: true }));
    assert.deepEqual(counts(rooms), [4, 2]);
    rooms.markRead("1", { read_position: "13" });
    assert.deepEqual(counts(rooms), [0, 0]);
    rooms.apply(said("14", { mentions: [ME] }));
    rooms.apply(said("15", {}, ME));
    assert.deepEqual(counts(rooms), [0, 0], "who answers has read");
  });

  test("ask the server where an edit or a deletion may have changed them", () => {
    const rooms = listed({ read_position: "5", unread: 3, mentions: 1 });
    const asked = [];
    rooms.on("uncertain", (room) => asked.push(room));
    const changed = (type, position, of, more) =>
      rooms.apply({ ...event(type), position, message: message(of), ...more });
    changed("edited", "10", "4", { mentions: [ME] });
    assert.equal(asked.length, 0, "it was read before");
    changed("edited", "11", "6");
    assert.equal(asked.length, 1, "it may be the one that called me");
    changed("deleted", "12", "7");
    assert.deepEqual([asked.length, counts(rooms)], [2, [2, 1]]);
    changed("deleted", "13", "6");
    changed("deleted", "14", "8");
    assert.deepEqual([asked.length, counts(rooms)], [3, [0, 0]], "of nothing, nothing calls me");
    rooms.apply(said("15"));
    changed("edited", "16", "15");
    assert.equal(asked.length, 3, "nothing called me, and nothing does");
    changed("edited", "17", "15", { mentions: [ME] });
    assert.equal(asked.length, 4);
  });

  test("that are asked for know what happened meanwhile", async () => {
    const page = new Page([room({ unread: 2, mentions: 1, read_position: "5" })]);
    let answer;
    page.reply = () => new Promise((resolve) => (answer = resolve));
    page.event({ ...event("edited"), position: "10", message: message("6") });
    page.event(said("11", { mentions: [ME] }));
    const then = room({ unread: 2, mentions: 0, read_position: "5", position: "10" });
    answer({ room: then });
    await settled();
    assert.deepEqual(counts(page.chat.rooms), [3, 1]);
    assert.equal(page.asked, 1);
  });

  test("come into doubt again while they are asked for, and are asked for again", async () => {
    const page = new Page([room({ unread: 2, mentions: 1, read_position: "5" })]);
    const answers = [];
    page.reply = () => new Promise((resolve) => answers.push(resolve));
    page.event({ ...event("edited"), position: "10", message: message("6") });
    page.event({ ...event("edited"), position: "11", message: message("7"), mentions: [ME] });
    answers[0]({ room: room({ unread: 2, mentions: 0, read_position: "5", position: "10" }) });
    await settled();
    answers[1]({ room: room({ unread: 2, mentions: 1, read_position: "5", position: "11" }) });
    await settled();
    assert.deepEqual([counts(page.chat.rooms), page.asked], [[2, 1], 2]);
  });
});

describe("a room that is marked as unread", () => {
  const open = () => {
    const page = new Page([room({ last_message: message("9") })]);
    page.reply = () => ({ room: room({ unread: 2, read_version: 1, read_position: "6" }) });
    page.chat.open("1");
    return page;
  };
  const raised = event("read", { read_version: 1, read_position: "6" });

  test("is held while it is open, here and on another device", async () => {
    for (const marking of [true, false]) {
      const page = open();
      if (marking) await page.chat.markUnread(message("7"));
      page.event(raised);
      await settled();
      assert.deepEqual(counts(page.chat.rooms), [2, 0]);
      assert.ok(page.chat.reading.isHeld("1"));
      page.chat.open(null);
      page.chat.open("1");
      assert.ok(!page.chat.reading.isHeld("1"), "coming back is reading");
    }
  });

  test("is read by saying so, in the version that is known", async () => {
    const page = open();
    page.event(raised);
    await settled();
    page.chat.reading.readAll("1");
    await settled();
    assert.deepEqual(page.said("read"), [{ room: "1", position: "9", read_version: 1 }]);
    assert.deepEqual(counts(page.chat.rooms), [0, 0]);
    assert.ok(!page.chat.reading.isHeld("1"));
  });

  test("is read once all of it was read on another device, and stays so", async () => {
    const page = open();
    page.event(raised);
    await settled();
    page.event(event("read", { read_version: 1, read_position: "9" }));
    assert.deepEqual(counts(page.chat.rooms), [0, 0]);
    assert.ok(!page.chat.reading.isHeld("1"));
  });

  test("is read by writing in it", async () => {
    const page = open();
    page.event(raised);
    page.event(said("10", {}, ME));
    assert.ok(!page.chat.reading.isHeld("1"));
  });

  test("is not when the server says no", async () => {
    const page = open();
    page.answers.unread = () => Promise.reject({ code: "not_connected" });
    assert.equal(await page.chat.markUnread(message("7")), false);
    assert.ok(!page.chat.reading.isHeld("1"));
  });

  test("is not read by what was on its way before", async () => {
    const page = open();
    page.answers.read = () => Promise.reject({ code: "connection_lost" });
    page.event(said("10"));
    page.chat.read("1", "10");
    await settled();
    await page.chat.markUnread(message("7"));
    page.answers.read = () => ({});
    page.hello([room({ unread: 3, read_version: 1, read_position: "6", position: "10" })]);
    await settled();
    assert.equal(page.said("read").length, 1, "it is not said again");
    assert.deepEqual(counts(page.chat.rooms), [3, 0]);
  });
});

describe("who has read", () => {
  const lines = [message("3", ME), message("5", "1"), message("7", ME), message("9", ME)];
  const loaded = async (members, more = {}) => {
    const api = { get: async () => ({ members }) };
    const people = { learn() {} };
    const receipts = new Receipts({ me: ME, most: 3, wanted: true, api, people, ...more });
    receipts.follow({ id: "1", member_count: 3 });
    await settled();
    return receipts;
  };
  const member = (user_id, read_position, joined_at = "") => ({
    user_id,
    read_position,
    joined_at,
  });
  const seen = (receipts, more) => Object.fromEntries(receipts.seen(lines, more));

  test("stands at the newest line that each has read", async () => {
    const receipts = await loaded([member("1", "8"), member("3", "7"), member(ME, "9")]);
    assert.deepEqual(seen(receipts), { 7: ["1", "3"] });
    receipts.apply(event("read", { user_id: "3", read_position: "9" }));
    receipts.apply(event("read", { user_id: "1", read_position: "2" }));
    assert.deepEqual(seen(receipts), { 7: ["1"], 9: ["3"] });
  });

  test("is not shown where it is plain, or not known", async () => {
    const late = "2027-01-01T00:00:00.000Z";
    const receipts = await loaded([member("1", "5"), member("3", "7", late), member("4")]);
    assert.deepEqual(seen(receipts), {}, "their own line; before they came; who does not tell");
    receipts.apply(said("11", {}, "4"));
    assert.deepEqual(seen(receipts), {}, "who says something tells nothing of what they read");
    receipts.apply(event("read", { user_id: "1", read_position: "12" }));
    assert.deepEqual(seen(receipts, { hasNewer: true }), {}, "further down than the lines held");
  });

  test("is asked for in small rooms alone, and only where I let others know", async () => {
    const receipts = await loaded([member("1", "8")]);
    receipts.follow({ id: "1", member_count: 4 });
    assert.deepEqual([receipts.room, seen(receipts)], [null, {}]);
    receipts.follow({ id: "1", member_count: 3 });
    await settled();
    assert.deepEqual(seen(receipts), { 7: ["1"] });
    receipts.switch(false, { id: "1", member_count: 3 });
    assert.deepEqual([receipts.room, seen(receipts)], [null, {}]);
    receipts.switch(true, { id: "1", member_count: 3 });
    await settled();
    assert.deepEqual(seen(receipts), { 7: ["1"] });
  });

  test("goes with them", async () => {
    const receipts = await loaded([member("1", "8"), member("3", "9")]);
    receipts.apply(event("member_removed", { member: { user_id: "3" } }));
    assert.deepEqual(seen(receipts), { 7: ["1"] });
  });

  test("is a row below its line", () => {
    const people = [{ id: "1", name: "Ann" }];
    const rows = rowsOf(lines, [], { me: ME, unreadAfter: null, seen: new Map([["7", people]]) });
    const at = rows.findIndex((row) => row.kind === "seen");
    assert.equal(rows[at - 1].id, "7");
    assert.deepEqual([rows[at].people, rows[at].direct], [people, false]);
  });
});

describe("a timeline", () => {
  test("is loaded around the first unread line, where it does not reach back to it", async () => {
    const asked = [];
    const api = {
      get: async (_, which) => {
        asked.push(which);
        const at = which.around ? 10 : 100;
        const messages = [at, at + 1].map((position) => message(String(position)));
        return { messages, has_older: true, has_newer: Boolean(which.around) };
      },
    };
    const timeline = new Timeline("1", { api, me: ME });
    await timeline.load();
    assert.deepEqual([timeline.reaches("100"), timeline.reaches("99")], [true, false]);
    await timeline.seekTo("100");
    assert.equal(asked.length, 1, "it is there");
    await timeline.seekTo("10");
    assert.deepEqual(
      [asked[1].around, timeline.reaches("10"), timeline.hasNewer],
      ["10", true, true],
    );
  });
});

/** A page in room 1, whose server answers as `answers` and `reply` say. */
class Page {
  asked = 0;
  answers = { read: () => ({}), unread: () => ({}), presence: () => ({ users: [] }) };
  reply = () => ({ room: room({}) });
  #commands = [];

  constructor(rooms) {
    this.socket = Object.assign(new Emitter(), { state: "open", command: this.#command });
    const api = { get: this.#get };
    this.chat = new Chat({ me: ME, api, makeSocket: () => this.socket });
    this.hello(rooms);
  }

  #command = async (type, fields) => {
    this.#commands.push({ type, ...fields });
    return this.answers[type]();
  };

  #get = async (route) => {
    if (route.endsWith("/messages")) return { messages: [], has_older: false };
    this.asked += 1;
    return this.reply();
  };

  hello(rooms) {
    this.socket.emit("open", { user: { id: ME }, rooms });
  }

  event(event) {
    this.socket.emit("event", event);
  }

  said(kind) {
    const said = this.#commands.filter(({ type }) => type === kind);
    return said.map(({ type: _, ...fields }) => fields);
  }
}

function listed(more) {
  const rooms = new Rooms(ME);
  rooms.takeList([room(more)]);
  return rooms;
}

function room(more) {
  const members = { member_count: 2, role: "member" };
  const counts = { unread: 0, mentions: 0, position: "9", read_position: "9", read_version: 0 };
  return { id: "1", kind: "group", name: "R", ...members, ...counts, ...more };
}

function event(type, more = {}) {
  return { type, room: "1", ...(type === "read" && { user_id: ME }), ...more };
}

function said(position, more = {}, sender = "1") {
  return { ...event("message", more), position, message: message(position, sender) };
}

function message(position, sender = "1") {
  const sent_at = "2026-01-01T00:00:00.000Z";
  const said = { id: position, room_id: "1", position, body: "hello", reactions: [] };
  return { ...said, sent_at, sender: { id: sender, display_name: "N" } };
}

function counts(rooms) {
  const { unread, mentions } = rooms.get("1");
  return [unread, mentions];
}

function shuffled(list) {
  const all = [...list];
  for (let at = all.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [all[at], all[other]] = [all[other], all[at]];
  }
  return all;
}

/** Everything that needs no time has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
