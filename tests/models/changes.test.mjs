// What becomes of messages on the page: edited, deleted, reacted to, quoted, and in whichever order
// that and the history come. Me is Bob, with the id 2.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { COMMON, nameOf, search } from "../../static/lib/emoji.js";
import { Emitter } from "../../static/lib/emitter.js";
import { Chat } from "../../static/models/chat.js";
import { Composing } from "../../static/models/composing.js";
import { begunAt, calls, matching, pieces } from "../../static/models/mentions.js";
import { rowsOf } from "../../static/models/rows.js";
import { Timeline } from "../../static/models/timeline.js";

const ANN = { id: "1", username: "ann", display_name: "Ann" };
const BOB = { id: "2", username: "bob", display_name: "Bob" };

beforeEach(() => {
  globalThis.sessionStorage = storage();
});

describe("a message on the page", () => {
  test("is edited, and whatever quotes it follows", async () => {
    const { timeline } = await loaded([said(1, "a"), reply(2, 1, "a"), reply(3, 1, "a")]);
    const edited = { ...said(1, "b"), html: "<p>b</p>", edited_at: "2026-01-02T00:00:00.000Z" };
    timeline.apply({ type: "edited", position: "9", message: edited });
    assert.deepEqual(texts(timeline), ["b", "re a", "re a"]);
    assert.equal(timeline.find("1").html, "<p>b</p>");
    for (const id of ["2", "3"]) assert.equal(timeline.find(id).quote.body, "b");
  });

  test("is deleted with all that was in it, also in quotes of it", async () => {
    const { timeline } = await loaded([
      { ...said(1, "secret"), html: "<p>secret</p>", reactions: [thumbs(1)] },
      reply(2, 1, "secret"),
    ]);
    timeline.apply({ type: "deleted", position: "9", message: gone(1), by: "1" });
    assert.ok(!JSON.stringify(timeline.messages[0]).includes("secret"));
    assert.deepEqual(timeline.find("1").reactions, []);
    assert.deepEqual(timeline.find("2").quote, { id: "1", sender: ANN, deleted: true });
  });

  test("stays deleted whatever comes late", async () => {
    const { timeline } = await loaded([gone(1)]);
    timeline.apply({ type: "edited", position: "9", message: said(1, "back") });
    timeline.apply(reaction("10", 1));
    assert.deepEqual(timeline.messages, [gone(1)]);
  });

  test("is quoted in its first 200 characters", async () => {
    const { timeline } = await loaded([said(1, "a"), reply(2, 1, "a")]);
    timeline.apply({ type: "edited", position: "9", message: said(1, "🦉".repeat(300)) });
    assert.equal(timeline.find("2").quote.body, "🦉".repeat(200));
  });

  test("counts reactions as the server does, and knows mine", async () => {
    const { timeline } = await loaded([said(1, "a")]);
    const now = () => timeline.find("1").reactions;
    timeline.apply(reaction("5", 1, { user_id: "1", count: 1 }));
    assert.deepEqual(now(), [{ emoji: "👍", count: 1, mine: false }]);
    timeline.apply(reaction("6", 1, { user_id: "2", count: 2 }));
    assert.deepEqual(now(), [{ emoji: "👍", count: 2, mine: true }]);
    timeline.apply(reaction("7", 1, { user_id: "3", count: 3 }));
    assert.equal(now()[0].mine, true, "others do not change what is mine");
    timeline.apply(reaction("8", 1, { user_id: "2", count: 2, on: false }));
    assert.deepEqual(now(), [{ emoji: "👍", count: 2, mine: false }]);
    timeline.apply(reaction("9", 1, { user_id: "1", count: 0, on: false }));
    assert.deepEqual(now(), []);
  });

  test("is not changed by an event that it has had", async () => {
    const { timeline } = await loaded([said(1, "a")]);
    timeline.apply(reaction("5", 1, { count: 1 }));
    timeline.apply(reaction("6", 1, { user_id: "1", count: 2 }));
    const { messages } = timeline;
    const before = [...messages];
    timeline.apply(reaction("5", 1, { count: 1 }));
    timeline.apply({ type: "edited", position: "6", message: said(1, "old") });
    assert.deepEqual(timeline.messages, before);
  });

  test("is not changed by an event that its page has counted", async () => {
    const { timeline } = await loaded([
      { ...said(1, "new"), reactions: [thumbs(2)] },
      said(9, "z"),
    ]);
    timeline.apply({ type: "edited", position: "5", message: said(1, "old") });
    timeline.apply(reaction("6", 1, { count: 1 }));
    assert.deepEqual(texts(timeline), ["new", "z"]);
    assert.equal(timeline.find("1").reactions[0].count, 2);
  });

  test("keeps its reactions when the answer to sending it comes last", async () => {
    const { timeline } = await loaded([]);
    timeline.apply({ type: "message", position: "1", message: said(1, "a") });
    timeline.apply(reaction("2", 1, { count: 1 }));
    timeline.add({ ...said(1, "a"), client_id: "c" });
    assert.equal(timeline.find("1").reactions[0].count, 1);
    assert.equal(timeline.find("1").client_id, "c");
  });
});

describe("a page of history", () => {
  test("that was under way learns what happened meanwhile", async () => {
    const server = new Server();
    const timeline = new Timeline("1", { api: server, me: "2" });
    const loading = timeline.load();
    timeline.apply(reaction("5", 1, { count: 1 }));
    timeline.apply({ type: "edited", position: "6", message: { ...said(2, "b"), edited_at: "x" } });
    timeline.apply({ type: "deleted", position: "7", message: gone(3), by: "1" });
    timeline.apply({ type: "message", position: "8", message: said(8, "h") });
    server.answer({ messages: [said(1, "a"), said(2, "-"), said(3, "-")], has_older: false });
    await loading;
    assert.deepEqual(texts(timeline), ["a", "b", undefined, "h"]);
    assert.equal(timeline.find("1").reactions[0].count, 1);
  });

  test("that is newer than what happened meanwhile wins", async () => {
    const server = new Server();
    const timeline = new Timeline("1", { api: server, me: "2" });
    const loading = timeline.load();
    timeline.apply(reaction("5", 1, { count: 1 }));
    server.answer({
      messages: [{ ...said(1, "a"), reactions: [thumbs(2)] }, said(9, "z")],
      has_older: false,
    });
    await loading;
    timeline.apply(reaction("6", 1, { count: 2 }));
    assert.equal(timeline.find("1").reactions[0].count, 2);
  });

  test("further up learns it, too", async () => {
    const { timeline, server } = await loaded([said(50, "x")], { has_older: true });
    const older = timeline.loadOlder();
    timeline.apply(reaction("60", 1, { count: 1 }));
    server.answer({ messages: [said(1, "a")], has_older: false, has_newer: true });
    await older;
    assert.equal(timeline.find("1").reactions[0].count, 1);
  });

  test("around an old message takes the place of what was held, and grows to the newest", async () => {
    const { timeline, server } = await loaded([said(50, "x")], { has_older: true });
    const sought = timeline.seek("7");
    server.answer({ message: said(7, "old") });
    await settled();
    assert.deepEqual(server.asked.at(-1).query, { around: "7", limit: 50 });
    server.answer({ messages: [said(7, "old")], has_older: true, has_newer: true });
    await sought;
    assert.deepEqual(texts(timeline), ["old"]);

    timeline.apply({ type: "message", position: "51", message: said(51, "live") });
    timeline.add({ ...said(52, "mine", BOB), client_id: "c" });
    assert.deepEqual(texts(timeline), ["old"], "there is a gap before it");

    let newer = timeline.loadNewer();
    server.answer({ messages: [said(20, "between")], has_older: true, has_newer: true });
    await newer;
    newer = timeline.loadNewer();
    assert.equal(server.asked.at(-1).query.after, "20");
    timeline.apply({ type: "message", position: "53", message: said(53, "last") });
    server.answer({
      messages: [said(50, "x"), said(51, "live"), said(52, "mine", BOB)],
      has_older: true,
      has_newer: false,
    });
    await newer;
    assert.deepEqual(texts(timeline), ["old", "between", "x", "live", "mine", "last"]);
    timeline.apply({ type: "message", position: "54", message: said(54, "on") });
    assert.equal(timeline.newest.body, "on");
  });

  test("that nobody can give leaves everything as it is", async () => {
    const { timeline, server } = await loaded([said(50, "x")], { has_older: true });
    const sought = timeline.seek("7");
    server.refuse({ code: "not_found", status: 404 });
    await assert.rejects(sought, { code: "not_found" });
    assert.deepEqual([texts(timeline), timeline.state, timeline.hasNewer], [["x"], "ready", false]);
    await timeline.seek("50");
    assert.equal(server.asked.length, 2, "what is held is not asked for");
  });

  test("the newest one, asked for anew, closes the gap", async () => {
    const { timeline, server } = await loaded([said(50, "x")], { has_older: true });
    const sought = timeline.seek("7");
    server.answer({ message: said(7, "old") });
    await settled();
    server.answer({ messages: [said(7, "old")], has_older: true, has_newer: true });
    await sought;
    const loading = timeline.load();
    server.answer({ messages: [said(50, "x"), said(51, "y")], has_older: true });
    await loading;
    assert.deepEqual([texts(timeline), timeline.hasNewer], [["x", "y"], false]);
  });
});

describe("what a person does with a message", () => {
  test("is refused where there is no connection, and not made up for", async () => {
    const { chat, notices, commands, socket } = page();
    socket.state = "waiting";
    for (const done of [chat.react("1", "👍", true), chat.edit("1", "b"), chat.deleteMessage("1")])
      assert.equal(await done, false);
    assert.equal(notices.length, 3);
    assert.match(notices[0], /^Not connected/);
    socket.state = "open";
    socket.emit("open", { user: { id: "2" }, rooms: [room()] });
    await settled();
    assert.deepEqual(
      commands.map(({ type }) => type),
      ["presence"],
    );
  });

  test("says so when nobody knows whether it was done", async () => {
    const { chat, notices, socket } = page();
    socket.refusal = { code: "connection_lost", unknown: true };
    assert.equal(await chat.edit("1", "b"), false);
    assert.match(notices[0], /connection was lost/);
  });

  test("a reply goes out as one, and is one line of the outbox until then", async () => {
    const { chat, commands, socket } = page();
    socket.emit("open", { user: { id: "2" }, rooms: [room()] });
    chat.open("1");
    await settled();
    chat.composing.reply("1", said(7, "what?"));
    chat.say("that");
    assert.deepEqual(chat.outbox.of("1")[0].quote, { id: "7", sender: ANN, body: "what?" });
    assert.equal(chat.composing.of("1"), null);
    await settled();
    const { fields } = commands.find(({ type }) => type === "send");
    assert.deepEqual([fields.body, fields.reply_to], ["that", "7"]);
    chat.say("no reply");
    await settled();
    assert.equal(commands.at(-1).fields.reply_to, undefined);
  });

  test("what the composer is about outlives a reload, and knows of a deletion", () => {
    const kept = storage();
    const first = new Composing({ me: "2", storage: kept });
    first.edit("1", said(7, "a", BOB));
    first.typed("1", "ab");
    first.reply("2", said(8, "b"));
    const second = new Composing({ me: "2", storage: kept });
    assert.deepEqual([second.of("1").kind, second.of("1").text], ["edit", "ab"]);
    second.apply({ type: "deleted", room: "2", message: gone(8) });
    assert.deepEqual(second.replyIn("2"), { id: "8", sender: ANN, deleted: true });
    second.end("1");
    assert.equal(new Composing({ me: "2", storage: kept }).of("1"), null);
  });

  test("a row tells whether it calls me", () => {
    const rows = rowsOf([said(1, "hi @bob"), said(2, "hi"), said(3, "@bob", BOB)], [], {
      me: "2",
      username: "Bob",
      unreadAfter: null,
    });
    const lines = rows.filter(({ kind }) => kind === "line");
    assert.deepEqual(
      lines.map(({ callsMe }) => callsMe),
      [true, false, false],
    );
  });
});

describe("mentions", () => {
  test("are whole names, as on the server", () => {
    const of = (text) => pieces(text).flatMap(({ name }) => name ?? []);
    assert.deepEqual(of("hey @Ann. and (@bob-2), @all!"), ["ann", "bob-2", "all"]);
    assert.deepEqual(of("mail me: ann@example.org or @ or @."), []);
    const text = "a @ann, b";
    assert.equal(
      pieces(text)
        .map((piece) => piece.text)
        .join(""),
      text,
    );
    assert.ok(calls("hm @ALL", "bob") && calls("@Bob", "bob") && !calls("@bobby", "bob"));
  });

  test("that are begun are found at the caret", () => {
    assert.deepEqual(begunAt("hi @An", 6), { at: 3, query: "an" });
    assert.deepEqual(begunAt("@", 1), { at: 0, query: "" });
    assert.equal(begunAt("a@an", 4), null);
    assert.equal(begunAt("@an there", 9), null);
  });

  test("may mean whoever is called like that", () => {
    const members = [
      { username: "zoe", display_name: "Annabel Zoe" },
      { username: "annika", display_name: "Ika" },
      { username: "bob", display_name: "Hannah" },
    ];
    const found = matching(members, "ann", 8).map(({ username }) => username);
    assert.deepEqual(found, ["annika", "zoe"], "by user name first");
  });
});

test("emoji are found by the words that say what they are", () => {
  assert.ok(search("th up", 9).includes("👍"));
  assert.deepEqual(search("qqq", 9), []);
  assert.ok(
    COMMON.every((emoji) => nameOf(emoji) !== emoji),
    "each has a name",
  );
  assert.equal(new Set(search("", 999)).size, search("", 999).length, "each is there once");
});

async function loaded(messages, more = {}) {
  const server = new Server();
  const timeline = new Timeline("1", { api: server, me: "2" });
  const loading = timeline.load();
  server.answer({ messages, has_older: false, has_newer: false, ...more });
  await loading;
  return { timeline, server };
}

/** Answers when it is told to. */
class Server {
  asked = [];
  #waiting = [];
  get = (route, query) => {
    this.asked.push({ route, query });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  };
  answer = (answer) => this.#waiting.shift().resolve(answer);
  refuse = (problem) => this.#waiting.shift().reject(problem);
}

function page() {
  const [commands, notices] = [[], []];
  const socket = Object.assign(new Emitter(), { state: "open", refusal: null });
  socket.command = async (type, fields) => {
    if (socket.state !== "open") throw { code: "not_connected" };
    if (socket.refusal) throw socket.refusal;
    commands.push({ type, fields });
    if (type === "presence") return { users: [] };
    return { message: { ...said(99, fields.body, BOB), client_id: fields.client_id } };
  };
  const api = { get: async () => ({ messages: [], has_older: false }) };
  const chat = new Chat({ me: "2", username: "bob", api, makeSocket: () => socket });
  chat.on("notice", (text) => notices.push(text));
  return { chat, socket, commands, notices };
}

function room() {
  return { id: "1", kind: "group", name: "R", role: "member", position: "2", member_count: 2 };
}

function said(position, body, sender = ANN) {
  return {
    id: String(position),
    room_id: "1",
    position: String(position),
    sender,
    body,
    sent_at: "2026-01-01T00:00:00.000Z",
    reactions: [],
  };
}

function reply(position, to, quoted) {
  const quote = { id: String(to), sender: ANN, body: quoted };
  return { ...said(position, `re ${quoted}`), reply_to: String(to), quote };
}

function gone(position) {
  const left = { ...said(position, ""), deleted: true };
  delete left.body;
  return left;
}

function thumbs(count) {
  return { emoji: "👍", count, mine: false };
}

function reaction(position, to, fields = {}) {
  const message = String(to);
  return { type: "reaction", position, message, emoji: "👍", user_id: "1", on: true, ...fields };
}

function texts(timeline) {
  return timeline.messages.map(({ body }) => body);
}

function storage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

/** Everything that needs no time has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
