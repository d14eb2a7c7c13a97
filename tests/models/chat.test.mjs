// What a page knows, against a server that is behind, in trouble or says no. The models are the real
// ones; the server is a few lines here. Me is Bob, and the room is R.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { Emitter } from "../../static/lib/emitter.js";
import { Chat } from "../../static/models/chat.js";

const ANN = { user_id: "1", username: "ann", display_name: "Ann", role: "admin" };
const BOB = { user_id: "2", username: "bob", display_name: "Bob", role: "member" };
const LOST = { code: "connection_lost", temporary: true, unknown: true };
const BEHIND = { code: "unavailable", status: 503, temporary: true };
const NO_ROOM = { code: "not_found", status: 404, detail: "there is no such room or message" };

beforeEach(() => {
  globalThis.sessionStorage = new Storage();
});

describe("lines that are still to be sent", () => {
  test("outlive a removal and a return that the list counts already", async () => {
    const page = new Page();
    await page.waitsWith("a line that waits");
    page.hello([room("7")]);
    page.event("member_removed", "3", { member: BOB, by: "1" });
    page.event("member_added", "7", { member: BOB, by: "1" });
    assert.deepEqual(page.waiting(), ["a line that waits"]);
    assert.deepEqual([page.notices, page.thrownOut], [[], false]);
    assert.equal(page.chat.room.name, "R");
  });

  test("outlive a list that is behind, and are sent", async () => {
    const page = new Page();
    await page.waitsWith("a line that waits");
    page.answers.send = () => page.accepted("8");
    page.server.room = room("7");
    page.hello([]);
    await until(() => page.waiting().length === 0);
    assert.deepEqual(page.sent, ["a line that waits", "a line that waits"]);
    assert.equal(new Set(page.clientIds).size, 1, "with one client_id");
    assert.deepEqual([page.notices, page.thrownOut], [[], false]);
    assert.equal(page.chat.room.name, "R");
  });

  test("stay with their author, and the reason, when he is removed", async () => {
    const page = new Page();
    await page.waitsWith("too late");
    page.server.room = NO_ROOM;
    page.hello([]);
    page.event("member_removed", "3", { member: BOB, by: "1" });
    assert.deepEqual(page.notices, ["You were removed from “R”. 1 message was not sent."]);
    assert.ok(page.thrownOut);
    assert.equal(page.chat.rooms.get("1"), undefined);
    page.strandedIs({ roomName: "R", body: "too late", detail: "You were removed from “R”." });

    await until(() => page.server.asked > 0);
    assert.equal(page.notices.length, 1, "once is enough");

    const reloaded = new Page();
    reloaded.hello([]);
    reloaded.strandedIs({ roomName: "R", body: "too late" });
    reloaded.chat.outbox.settle(reloaded.chat.stranded()[0].clientId);
    assert.deepEqual(new Page().chat.outbox.all(), [], "deleted by hand, they are gone");
  });

  test("stay when the room is deleted meanwhile", async () => {
    const page = new Page();
    await page.waitsWith("too late");
    page.server.room = NO_ROOM;
    page.hello([]);
    page.event("room_deleted", "9", { by: "1" });
    assert.deepEqual(page.notices, ["“R” was deleted. 1 message was not sent."]);
    page.strandedIs({ body: "too late", detail: "“R” was deleted." });
  });

  test("stay when nothing is told but the room is gone, which is said", async () => {
    const page = new Page();
    await page.waitsWith("too late");
    page.server.room = NO_ROOM;
    page.answers.send = () => Promise.reject(NO_ROOM);
    page.hello([]);
    await until(() => page.notices.length > 0);
    assert.deepEqual(page.notices, ["You are no longer in “R”. 1 message was not sent."]);
    page.strandedIs({ body: "too late", detail: "You are no longer in “R”." });
  });

  test("are kept when the answer to sending is that the room is not mine", async () => {
    const page = new Page();
    page.hello([room("2")]);
    page.chat.open("1");
    page.server.room = NO_ROOM;
    page.answers.send = () => Promise.reject({ ...NO_ROOM, code: "not_a_member" });
    page.chat.say("to nobody");
    await until(() => page.thrownOut);
    page.strandedIs({ body: "to nobody", detail: "You are no longer in “R”." });
  });

  test("are sent once by the page that was loaded anew", async () => {
    const page = new Page();
    await page.waitsWith("before the reload");
    const reloaded = new Page();
    reloaded.answers.send = () => reloaded.accepted("3");
    reloaded.hello([room("2")]);
    await until(() => reloaded.waiting().length === 0);
    reloaded.hello([room("3")]);
    assert.deepEqual(reloaded.sent, ["before the reload"]);
    assert.deepEqual(reloaded.clientIds, page.clientIds);
    assert.deepEqual(new Page().chat.outbox.all(), []);
  });

  test("wait when the server finds them too many, in their order", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const page = new Page();
    page.hello([room("2")]);
    page.chat.open("1");
    let refusals = 1;
    page.answers.send = () =>
      refusals-- > 0
        ? Promise.reject({ code: "too_many_messages", temporary: true })
        : page.accepted("3");
    for (const text of ["one", "two"]) page.chat.say(text);
    await settled();
    assert.deepEqual(page.waiting(), ["one", "two"]);
    t.mock.timers.tick(1_000);
    await settled();
    assert.deepEqual(page.sent, ["one", "one", "two"]);
    assert.deepEqual(page.waiting(), []);
  });
});

describe("rooms", () => {
  test("a new one that cannot be had is asked for until it can", async () => {
    const page = new Page();
    page.hello([]);
    let troubles = 2;
    page.server.reply = () => (troubles-- > 0 ? Promise.reject(BEHIND) : { room: room("9") });
    page.event("member_added", "7", { member: BOB, by: "1" });
    page.event("message", "8", { message: message("8", "hi") });
    await until(() => page.chat.rooms.get("1"));
    assert.equal(page.server.asked, 3);
  });

  test("a new one counts what happened while it was asked for", async () => {
    const page = new Page();
    page.hello([]);
    let answer;
    page.server.reply = () => new Promise((resolve) => (answer = resolve));
    page.event("member_added", "7", { member: BOB, by: "1" });
    page.event("message", "8", { message: message("8", "hi") });
    answer({ room: room("7", { read_position: "7" }) });
    await until(() => page.chat.rooms.get("1"));
    assert.equal(page.chat.rooms.get("1").unread, 1);
  });

  test("one that was left again while it was asked for does not appear", async () => {
    const page = new Page();
    page.hello([]);
    let answer;
    page.server.reply = () => new Promise((resolve) => (answer = resolve));
    page.event("member_added", "7", { member: BOB, by: "1" });
    page.event("member_removed", "8", { member: BOB, by: "1" });
    answer({ room: room("7") });
    await settled();
    assert.equal(page.chat.rooms.get("1"), undefined);
  });

  test("one that the list lacks stays while nobody knows, and goes when the server says so", async () => {
    const page = new Page();
    page.hello([room("2")]);
    page.server.room = BEHIND;
    page.hello([]);
    await until(() => page.server.asked > 1);
    assert.ok(page.chat.rooms.get("1"));
    page.server.room = NO_ROOM;
    await until(() => !page.chat.rooms.get("1"));
    assert.deepEqual(page.notices, ["You are no longer in “R”."]);
  });

  test("one of which only messages are heard is found", async () => {
    const page = new Page();
    page.hello([]);
    page.server.room = room("8");
    page.event("message", "8", { message: message("8", "hi") });
    await until(() => page.chat.rooms.get("1"));
  });

  test("a list that is behind takes nothing back", async () => {
    const page = new Page();
    page.hello([room("2")]);
    page.event("message", "3", { message: message("3", "hi") });
    page.hello([room("2")]);
    assert.equal(page.chat.rooms.get("1").unread, 1);
    assert.equal(page.chat.rooms.get("1").last_message.body, "hi");
  });

  test("who is banned without having been in appears nowhere", async () => {
    const page = new Page();
    page.server.members = [ANN, BOB];
    page.hello([room("2")]);
    await page.chat.members.load("1");
    const eve = { user_id: "3", username: "eve", display_name: "Eve" };
    page.event("member_banned", "3", { member: eve, by: "1" });
    assert.deepEqual(
      page.chat.members.list().map((member) => member.display_name),
      ["Ann", "Bob"],
    );
    assert.equal(page.chat.rooms.get("1").member_count, 2);
    assert.equal(page.chat.rooms.get("1").position, "3");
  });
});

describe("what was read", () => {
  const unread = room("9", { unread: 3, read_position: "2" });

  test("is said again until the server takes it", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const page = new Page();
    let troubles = 2;
    page.answers.read = () => (troubles-- > 0 ? Promise.reject(BEHIND) : {});
    page.hello([unread]);
    page.chat.read("1", "9");
    await settled();
    for (let again = 0; again < 5; again += 1) {
      t.mock.timers.tick(30_000);
      await settled();
    }
    assert.deepEqual(page.read, ["9", "9", "9"]);
    assert.equal(page.chat.rooms.get("1").unread, 0);
  });

  test("stays read when the connection was lost before the server knew", async () => {
    const page = new Page();
    page.answers.read = () => Promise.reject(LOST);
    page.hello([unread]);
    page.chat.read("1", "9");
    await settled();
    page.answers.read = () => ({});
    page.hello([unread]);
    assert.equal(page.chat.rooms.get("1").unread, 0);
    assert.deepEqual(page.read, ["9", "9"]);
  });

  test("is not said again when the answer is a plain no", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const page = new Page();
    page.answers.read = () => Promise.reject(NO_ROOM);
    page.hello([unread]);
    page.chat.read("1", "9");
    await settled();
    t.mock.timers.tick(60_000);
    await settled();
    assert.deepEqual(page.read, ["9"]);
  });
});

/** One page with its models; what it asks of the server is in `answers` and `server`. */
class Page {
  notices = [];
  thrownOut = false;
  sent = [];
  clientIds = [];
  read = [];
  answers = { send: () => Promise.reject(LOST), read: () => ({}) };
  server = { room: room("2"), members: [], asked: 0, reply: null };

  constructor() {
    this.socket = Object.assign(new Emitter(), { state: "open", command: this.#command });
    const makeSocket = (resumeFrom) => Object.assign(this.socket, { resumeFrom });
    this.chat = new Chat({ me: "2", api: { get: this.#get }, makeSocket });
    this.chat.on("notice", (text) => this.notices.push(text));
    this.chat.on("gone", () => {
      this.thrownOut = true;
      this.chat.open(null);
    });
  }

  #command = async (type, fields) => {
    if (type === "presence") return { users: [] };
    if (type === "send") {
      this.sent.push(fields.body);
      this.clientIds.push(fields.client_id);
    }
    if (type === "read") this.read.push(fields.position);
    return this.answers[type]();
  };

  #get = async (route) => {
    if (route.endsWith("/messages")) return { messages: [], has_older: false };
    if (route.endsWith("/members")) return { members: this.server.members };
    this.server.asked += 1;
    if (this.server.reply) return this.server.reply();
    if (this.server.room.code) throw this.server.room;
    return { room: this.server.room };
  };

  /** In R at 2, with one line that did not go out; the connection is about to come back. */
  async waitsWith(text) {
    this.hello([room("2")]);
    this.chat.open("1");
    await settled();
    this.chat.say(text);
    await settled();
    assert.deepEqual(this.socket.resumeFrom(), { 1: "2" });
    assert.deepEqual(this.waiting(), [text]);
  }

  hello(rooms) {
    this.socket.emit("open", { user: { id: "2" }, rooms });
  }

  event(type, position, fields) {
    this.socket.emit("event", { type, room: "1", position, ...fields });
  }

  accepted(position) {
    return { message: message(position, this.sent.at(-1), BOB) };
  }

  /** Lines that will still go out. */
  waiting() {
    const lines = this.chat.outbox.of("1").filter((line) => line.state === "pending");
    return lines.map((line) => line.body);
  }

  strandedIs(expected) {
    const lines = this.chat.stranded();
    assert.equal(lines.length, 1);
    assert.equal(lines[0].state, "failed");
    assert.deepEqual({ ...lines[0], ...expected }, lines[0]);
  }
}

class Storage {
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => this.#items.set(key, value);
  removeItem = (key) => this.#items.delete(key);
}

function room(position, more = {}) {
  return {
    id: "1",
    kind: "group",
    name: "R",
    topic: "",
    visibility: "private",
    role: "member",
    unread: 0,
    position,
    read_position: position,
    member_count: 2,
    last_message: null,
    ...more,
  };
}

function message(position, body, { user_id: id, display_name } = ANN) {
  const sent_at = "2026-01-01T00:00:00.000Z";
  return {
    id: position,
    room_id: "1",
    position,
    sender: { id, display_name },
    body,
    sent_at,
    reactions: [],
  };
}

/** Everything that needs no time has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

async function until(holds) {
  for (const end = Date.now() + 5_000; !holds(); await settled()) {
    assert.ok(Date.now() < end, `waited in vain: ${holds}`);
  }
}
