// Who is called what and looks like what, and which device a login is.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { describeAgent } from "../../static/lib/user-agent.js";
import { Members } from "../../static/models/members.js";
import { People } from "../../static/models/people.js";
import { Rooms, otherPerson } from "../../static/models/rooms.js";
import { Timeline } from "../../static/models/timeline.js";

const ANN = { id: "1", username: "ann", display_name: "Ann" };
const BOB = { id: "2", username: "bob", display_name: "Bob" };
const NOBODY = { id: "1", username: "deleted:1", display_name: "Deleted user", deleted: true };

describe("people who are not known yet", () => {
  test("are asked for once, all together", async () => {
    const asked = [];
    const api = {
      get: async (path, { ids }) => {
        asked.push([path, ids]);
        return { users: [{ ...ANN, avatar: "/a" }] };
      },
    };
    const people = new People(api);
    const pictures = new Map();
    people.on("picture", ({ id, avatar }) => pictures.set(id, avatar));
    const changed = new Promise((resolve) => people.on("change", resolve));
    assert.equal(people.nameOf("1"), null);
    people.want("2");
    people.want("1");
    await changed;
    assert.deepEqual(asked, [["/users", "1,2"]]);
    assert.deepEqual([people.nameOf("1"), people.nameOf("2")], ["Ann", "Deleted user"]);
    assert.deepEqual(
      [...pictures],
      [
        ["1", "/a"],
        ["2", null],
      ],
    );
    people.want("1");
    people.refresh(["2"]);
    await new Promise((resolve) => people.on("change", resolve));
    assert.deepEqual(asked.slice(1), [["/users", "2"]]);
  });

  test("more than a request may name are asked for in several", async () => {
    const asked = [];
    const people = new People({
      get: async (path, { ids }) => {
        asked.push(ids.split(",").length);
        return { users: [] };
      },
    });
    const changed = new Promise((resolve) => people.on("change", resolve));
    for (let id = 1; id <= 230; id += 1) people.want(String(id));
    await changed;
    assert.deepEqual(asked, [100, 100, 30]);
  });

  test("without an answer are asked for again when there is a connection", async () => {
    let asked = 0;
    const people = new People({
      get: async () => {
        asked += 1;
        if (asked === 1) throw new Error("no network");
        return { users: [BOB] };
      },
    });
    const next = () => new Promise((resolve) => people.on("change", resolve));
    people.want("2");
    await next();
    assert.equal(people.nameOf("2"), null);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(asked, 1, "not again and again");
    people.refresh([]);
    assert.equal(people.nameOf("2"), null);
    await next();
    assert.equal(people.nameOf("2"), "Bob");
  });
});

describe("who is called otherwise, or is gone", () => {
  test("is so in the list of rooms", () => {
    const rooms = new Rooms("2");
    const members = [ANN, BOB].map(({ id, ...names }) => ({ user_id: id, ...names }));
    const said = { id: "9", position: "5", sender: ANN, body: "hi" };
    rooms.takeList([
      { id: "d1-2", kind: "direct", name: "Ann", members, position: "5", last_message: said },
      { id: "7", kind: "group", name: "Ann", position: "5", last_message: said },
      { id: "8", kind: "group", name: "Other", position: "5" },
    ]);
    const before = rooms.get("8");
    rooms.rename({ ...ANN, display_name: "Ann L." });
    assert.equal(rooms.get("d1-2").name, "Ann L.");
    assert.equal(rooms.get("7").name, "Ann", "a group is not called after anybody");
    assert.equal(rooms.get("7").last_message.sender.display_name, "Ann L.");
    assert.equal(rooms.get("8"), before);
    rooms.rename(NOBODY);
    const other = otherPerson(rooms.get("d1-2"), "2");
    assert.deepEqual(other, {
      user_id: "1",
      username: "deleted:1",
      display_name: "Deleted user",
      deleted: true,
    });
    rooms.rename({ ...BOB, display_name: "Bobby" });
    assert.equal(rooms.get("d1-2").name, "Deleted user", "not by my own name");
  });

  test("is so in what was said, and in what quotes it", async () => {
    const page = [
      { id: "1", position: "1", sender: ANN, body: "one" },
      { id: "2", position: "2", sender: BOB, body: "two", quote: { id: "1", sender: ANN } },
      { id: "3", position: "3", sender: BOB, body: "three" },
    ];
    const api = { get: async () => ({ messages: page, has_older: false, has_newer: false }) };
    const timeline = new Timeline("7", { api, me: "2" });
    await timeline.load();
    const last = timeline.find("3");
    timeline.rename(NOBODY);
    assert.equal(timeline.find("1").sender.display_name, "Deleted user");
    assert.equal(timeline.find("2").quote.sender.display_name, "Deleted user");
    assert.equal(timeline.find("2").sender.display_name, "Bob");
    assert.equal(timeline.find("3"), last, "what does not change is not drawn again");
  });

  test("is so among the members", async () => {
    const api = {
      get: async () => ({ members: [{ user_id: "1", username: "ann", display_name: "Ann" }] }),
    };
    const members = new Members(api);
    await members.load("7");
    members.rename({ ...ANN, display_name: "Ann L." });
    members.rename(BOB);
    assert.deepEqual(
      members.list().map((member) => member.display_name),
      ["Ann L."],
    );
  });
});

test("devices are called by the names that people use", () => {
  const called = (agent) => describeAgent(agent).text;
  const mozilla = "Mozilla/5.0";
  const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
  for (const [agent, text, mobile] of [
    [`${mozilla} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0`, "Firefox on Linux"],
    [
      `${mozilla} (Windows NT 10.0; Win64; x64) ${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`,
      "Edge on Windows",
    ],
    [
      `${mozilla} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15`,
      "Safari on macOS",
    ],
    [
      `${mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1`,
      "Safari on iPhone",
      true,
    ],
    [
      `${mozilla} (Linux; Android 15; Pixel 9) ${webkit} Chrome/140.0.0.0 Mobile Safari/537.36`,
      "Chrome on Android",
      true,
    ],
    ["curl/8.5.0", "curl"],
    ["python-requests/2.32.3", "python-requests"],
    [`${mozilla} (compatible)`, "Unknown device"],
    ["", "Unknown device"],
    [null, "Unknown device"],
  ]) {
    assert.equal(called(agent), text);
    assert.equal(describeAgent(agent).mobile, Boolean(mobile), agent);
  }
});
