// Lines that wait, when everything goes wrong around them: the page, its storage, the hub, the login.
// The hub is a few lines here: like the real one it knows a line by its sender and `client_id`.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Outbox } from "../../static/models/outbox.js";

const LOST = { code: "connection_lost", temporary: true, unknown: true };
const UNAVAILABLE = { code: "unavailable", temporary: true, detail: "the log cannot be reached" };

describe("each line is said once, and in order", () => {
  test("when the page is loaded anew while an answer is on its way", async () => {
    const hub = new Hub();
    const storage = new Storage();
    hub.answer = () => new Promise(() => {}); // said, and the answer never comes
    const before = hub.page(storage);
    before.add("1", "one");
    before.add("1", "two");
    await settled();
    assert.deepEqual(hub.bodies(), ["one"]);

    hub.answer = (line) => line;
    hub.page(storage).flush();
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two"]);
    assert.deepEqual(hub.page(storage).all(), []);
  });

  test("when the hub is killed between the log and the answer", async () => {
    const hub = new Hub();
    const page = hub.page(new Storage());
    hub.answer = () => Promise.reject(LOST);
    for (const body of ["one", "two", "three"]) page.add("1", body);
    await settled();
    assert.deepEqual(hub.bodies(), ["one"], "nothing overtakes it");
    hub.answer = (line) => line;
    page.flush();
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two", "three"]);
    assert.deepEqual(hub.tries, ["one", "one", "two", "three"]);
    assert.deepEqual(page.all(), []);
  });

  test("when the tab is duplicated with lines that wait, and both send them", async () => {
    const hub = new Hub();
    const storage = new Storage();
    hub.away = LOST;
    const first = hub.page(storage);
    for (const body of ["one", "two"]) first.add("1", body);
    await settled();
    const second = hub.page(storage.copy());
    hub.away = null;
    second.flush();
    first.flush();
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two"]);
    assert.equal(hub.tries.length, 5, "one in vain, and then both tabs sent both");
    assert.deepEqual([first.all(), second.all()], [[], []]);
    // What one of them writes from now on is its own.
    second.add("1", "three");
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two", "three"]);
  });

  test("when the hub takes nothing for a while: what is behind waits, too", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const hub = new Hub();
    const page = hub.page(new Storage());
    hub.away = UNAVAILABLE;
    for (const body of ["one", "two"]) page.add("1", body);
    for (let second = 0; second < 20; second++) {
      await settled();
      t.mock.timers.tick(1_000);
    }
    assert.ok(hub.tries.length > 2 && hub.tries.length < 20, `${hub.tries.length} tries`);
    assert.deepEqual(new Set(hub.tries), new Set(["one"]));
    assert.deepEqual(
      page.all().map(({ body, state }) => [body, state]),
      [
        ["one", "pending"],
        ["two", "pending"],
      ],
    );
    hub.away = null;
    t.mock.timers.tick(60_000);
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two"]);
  });
});

describe("the storage of the tab", () => {
  test("may be forbidden: a line lives as long as the page", async () => {
    const hub = new Hub();
    const page = hub.page(null);
    page.add("1", "one");
    await settled();
    assert.deepEqual(hub.bodies(), ["one"]);
  });

  test("may be full: nothing is lost while the page is open, and nothing is said twice after", async () => {
    const hub = new Hub();
    const storage = new Storage();
    hub.away = LOST;
    const page = hub.page(storage);
    page.add("1", "one");
    storage.isFull = true;
    page.add("1", "two");
    await settled();
    hub.away = null;
    page.flush();
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two"]);
    const reloaded = hub.page(storage);
    reloaded.flush();
    await settled();
    assert.deepEqual(hub.bodies(), ["one", "two"]);
  });

  test("may hold anything: what is no line is passed over", async () => {
    const hub = new Hub();
    for (const text of ["{", "7", '"x"', "null", "{}", '[null, 7, "x", {}, {"room": 1}]']) {
      const storage = new Storage();
      storage.setItem("rookery.outbox.2", text);
      const page = hub.page(storage);
      assert.deepEqual(page.all(), [], text);
      page.add("1", text);
      await settled();
    }
    assert.equal(hub.bodies().length, 6);
  });

  test("keeps the lines of one apart from those of another who logs in there", async () => {
    const hub = new Hub();
    const storage = new Storage();
    hub.away = LOST;
    hub.page(storage, "2").add("1", "by bob");
    await settled();
    hub.away = null;
    const other = hub.page(storage, "3");
    other.flush();
    await settled();
    assert.deepEqual([other.all(), hub.bodies()], [[], []]);
    hub.page(storage, "2").flush();
    await settled();
    assert.deepEqual(hub.lines, [{ sender: "2", body: "by bob" }]);
  });
});

class Hub {
  lines = [];
  /** The text of each send that came in. */
  tries = [];
  /** Refuses everything with this. */
  away = null;
  /** What becomes of the answer to a line that was said. */
  answer = (line) => line;
  #known = new Map();

  bodies() {
    return this.lines.map(({ body }) => body);
  }

  /** What a page of this person begins with. */
  page(storage, me = "2") {
    return new Outbox({ me, storage, send: (line) => this.#send(me, line) });
  }

  async #send(sender, { clientId, body }) {
    this.tries.push(body);
    if (this.away) throw this.away;
    const key = `${sender} ${clientId}`;
    if (!this.#known.has(key)) {
      this.lines.push({ sender, body });
      this.#known.set(key, { client_id: clientId, body });
    }
    return this.answer(this.#known.get(key));
  }
}

class Storage {
  isFull = false;
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  removeItem = (key) => this.#items.delete(key);

  setItem(key, value) {
    if (this.isFull && value.length > (this.#items.get(key) ?? "").length)
      throw new Error("QuotaExceededError");
    this.#items.set(key, value);
  }

  copy() {
    const other = new Storage();
    for (const [key, value] of this.#items) other.setItem(key, value);
    return other;
  }
}

/** Everything that needs no time has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
