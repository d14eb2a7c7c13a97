// What was typed and what is found for it, against a server that answers when the test says so.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { hits, matches, parseQuery } from "../../static/lib/words.js";
import { Search, excerpt } from "../../static/models/search.js";

const cases = JSON.parse(readFileSync(new URL("../search-cases.json", import.meta.url), "utf8"));

describe("words are those of the server", () => {
  const finds = (query, text) => matches(parseQuery(query), text);

  test("what it finds is found", () => {
    for (const [query, text] of cases.finds) assert.ok(finds(query, text), `${query} in ${text}`);
  });

  test("what it does not find is not", () => {
    for (const [query, text] of cases.does_not_find)
      assert.ok(!finds(query, text), `${query} in ${text}`);
  });

  test("marks alone are no query", () => {
    for (const text of cases.asks_nothing) assert.equal(parseQuery(text), null, text);
  });

  test("whatever is found has a place to mark", () => {
    for (const [query, text] of cases.finds)
      assert.ok(hits(parseQuery(query), text).length > 0, `${query} in ${text}`);
  });
});

describe("marks", () => {
  const marked = (query, text) =>
    excerpt(parseQuery(query), text)
      .map(({ text, hit }) => (hit ? `[${text}]` : text))
      .join("");

  test("stand on the text as it was written", () => {
    assert.equal(marked("ete", "L'été à Zürich"), "L'[été] à Zürich");
    assert.equal(marked("e\u0301te", "L'e\u0301te\u0301!"), "L'[e\u0301te\u0301]!");
    assert.equal(
      marked("low tide", "Low tide is at six, tides go"),
      "[Low] [tide] is at six, [tide]s go",
    );
    assert.equal(marked("file", "a ﬁle"), "a [ﬁle]");
    assert.equal(marked("fi", "a ﬁle"), "a [ﬁ]le");
  });

  test("stand in the middle where there are no spaces", () => {
    assert.equal(marked("上海", "我在上海工作"), "我在[上海]工作");
    assert.equal(marked("ラーメン", "昨日ラーメンを食べた"), "昨日[ラーメン]を食べた");
    assert.equal(marked("か", "ここか"), "ここ[か]");
  });

  test("leave markup the text that it is", () => {
    assert.equal(marked("script", "<script>alert(1)</script>"), "<[script]>alert(1)</[script]>");
  });

  test("of a long text the part is shown where something was found", () => {
    const long = `${"lorem ipsum ".repeat(40)}the heron stood ${"dolor sit ".repeat(60)}`;
    const shown = marked("heron", long);
    assert.match(shown, /^….* the \[heron\] stood .*…$/);
    assert.ok(shown.length < 260, String(shown.length));
    const emoji = `${"🦆".repeat(300)} heron ${"🦆".repeat(300)}`;
    assert.ok(marked("heron", emoji).isWellFormed());
  });
});

describe("asking", () => {
  test("what is typed quickly is asked once, when the typing rests", async () => {
    const page = new Page({ pause: 20 });
    for (const text of ["ti", "tid", "tide"]) page.search.ask(text, null);
    assert.equal(page.search.state, "loading");
    await page.asks(1);
    await page.answers(0, [said("1", "low tide")]);
    assert.deepEqual(page.asked, [{ q: "tide", room: undefined, before: undefined, limit: 20 }]);
    assert.deepEqual(page.found(), ["low tide"]);
  });

  test("an answer to what was asked before never replaces the later one", async () => {
    const page = await overtaken();
    await page.answers(0, [said("1", "low water")]);
    assert.deepEqual(page.found(), ["high tide"]);
    page.search.ask("", null);
    assert.deepEqual([page.search.state, page.found()], ["idle", []]);
  });

  test("nor does the failure of one, nor an answer after the field was emptied", async () => {
    const page = await overtaken();
    await page.fails(0);
    assert.deepEqual([page.search.state, page.found()], ["ready", ["high tide"]]);
    page.search.ask("tides", null);
    await page.asks(3);
    page.search.ask("", null);
    await page.answers(2, [said("3", "tides")]);
    assert.deepEqual([page.search.state, page.found()], ["idle", []]);
  });

  test("too little is not asked; two letters, or one of Chinese, are", async () => {
    const page = new Page();
    for (const text of ["a", '"', "👍", " ? "]) {
      page.search.ask(text, null);
      assert.equal(page.search.state, "short", text);
    }
    await sleep(10);
    assert.equal(page.asked.length, 0);
    for (const text of ["go", "海", "7"]) page.search.ask(text, null);
    await page.asks(1);
    assert.equal(page.asked[0].q, "7");
  });

  test("in one conversation, and again where it is another", async () => {
    const page = await found("tide", [said("1", "low tide")], { room: "7" });
    page.search.ask("tide", null);
    assert.deepEqual(page.found(), [], "what was found elsewhere is not shown meanwhile");
    await page.asks(2);
    assert.deepEqual(
      page.asked.map(({ room }) => room),
      ["7", undefined],
    );
  });

  test("a failure is told, and can be tried again", async () => {
    const page = new Page();
    page.search.ask("tide", null);
    await page.asks(1);
    await page.fails(0);
    assert.deepEqual([page.search.state, page.search.problem.detail], ["failed", "not now"]);
    page.search.now();
    await page.asks(2);
    await page.answers(1, [said("1", "low tide")]);
    assert.deepEqual([page.search.state, page.found()], ["ready", ["low tide"]]);
  });

  test("older ones follow page by page, also when the last one was deleted meanwhile", async () => {
    const page = await found("tide", [said("9", "tide 9"), said("8", "tide 8")], { more: true });
    page.search.apply({ type: "deleted", room: "7", message: { id: "8", deleted: true } });
    page.search.loadOlder();
    page.search.loadOlder();
    await page.asks(2);
    assert.equal(page.asked[1].before, "8");
    await page.fails(1);
    assert.ok(page.search.olderFailed && !page.search.loadingOlder);
    page.search.loadOlder();
    await page.asks(3);
    await page.answers(2, [said("3", "tide 3")]);
    assert.deepEqual(page.found(), ["tide 9", "tide 3"]);
    assert.equal(page.search.hasOlder, false);
  });

  test("a page of what was asked before is not added to what was found since", async () => {
    const page = await found("low", [said("9", "low 9")], { more: true });
    page.search.loadOlder();
    await page.asks(2);
    page.search.ask("tide", null);
    await page.asks(3);
    await page.answers(2, [said("5", "tide 5")]);
    await page.answers(1, [said("3", "low 3")]);
    assert.deepEqual(page.found(), ["tide 5"]);
  });
});

describe("looking anew", () => {
  test("finds what has changed while there was no connection", async () => {
    const page = new Page();
    page.search.ask("tide", null);
    page.search.refresh();
    await page.asks(1);
    await page.answers(0, [said("9", "tide 9"), said("8", "tide 8")]);
    page.search.refresh();
    assert.deepEqual(page.found(), ["tide 9", "tide 8"], "they stay until there is an answer");
    await page.asks(2);
    await page.answers(1, [said("9", "tide 9")]);
    assert.deepEqual(page.found(), ["tide 9"]);
  });

  test("is done when a room goes in which the older ones were asked for", async () => {
    const page = await found("tide", [said("9", "tide 9")], { more: true });
    page.search.loadOlder();
    await page.asks(2);
    page.search.apply({ type: "room_deleted", room: said("9", "").room_id });
    await page.asks(3);
    assert.equal(page.asked[2].before, undefined);
    await page.answers(2, [said("4", "tide 4")], true);
    await page.fails(1);
    assert.deepEqual([page.found(), page.search.olderFailed], [["tide 4"], false]);
    page.search.loadOlder();
    await page.asks(4);
    assert.equal(page.asked[3].before, "4");
  });

  test("is nothing where nothing was asked", () => {
    const page = new Page();
    page.search.refresh();
    assert.deepEqual([page.search.state, page.asked.length], ["idle", 0]);
  });
});

describe("what happens meanwhile", () => {
  const looking = (room = null) =>
    found("tide", [said("9", "high tide"), said("8", "low tide")], { room });

  test("a deleted line goes, an edited one is shown as it is now or goes", async () => {
    const page = await looking();
    page.search.apply({ type: "edited", room: "7", message: said("8", "the tide is low") });
    assert.deepEqual(page.found(), ["high tide", "the tide is low"]);
    page.search.apply({ type: "edited", room: "7", message: said("8", "the water is low") });
    assert.deepEqual(page.found(), ["high tide"]);
    page.search.apply({ type: "deleted", room: "7", message: { id: "9", deleted: true } });
    assert.deepEqual(page.found(), []);
  });

  test("a line that is said joins, once and in its room only", async () => {
    const page = await looking("7");
    const event = { type: "message", room: "7", message: said("10", "spring tide") };
    page.search.apply(event);
    page.search.apply(event);
    page.search.apply({ type: "message", room: "7", message: said("11", "no such word") });
    page.search.apply({ type: "message", room: "8", message: said("12", "tide", "8") });
    assert.deepEqual(page.found(), ["spring tide", "high tide", "low tide"]);
  });

  test("the lines of a room that I am no longer in go", async () => {
    const page = await looking();
    const gone = { type: "member_removed", room: "7", by: "1" };
    page.search.apply({ ...gone, member: { user_id: "3" } });
    assert.equal(page.found().length, 2);
    page.search.apply({ ...gone, member: { user_id: "2" } });
    assert.deepEqual(page.found(), []);
  });
});

/** A page on which this was asked and these were found. */
async function found(text, hits, { room = null, more = false } = {}) {
  const page = new Page();
  page.search.ask(text, room);
  await page.asks(1);
  await page.answers(0, hits, more);
  return page;
}

/** A page whose second question was answered before the first. */
async function overtaken() {
  const page = new Page();
  page.search.ask("low", null);
  await page.asks(1);
  page.search.ask("tide", null);
  await page.asks(2);
  await page.answers(1, [said("2", "high tide")]);
  return page;
}

function said(id, body, room_id = "7") {
  return { id, room_id, body, position: id, sender: { id: "1", display_name: "Ann" } };
}

/** The model, and a server whose answers the test gives in the order it likes. */
class Page {
  asked = [];
  #waiting = [];

  constructor({ pause = 0 } = {}) {
    const get = (path, query) => {
      assert.equal(path, "/search");
      this.asked.push(query);
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    };
    this.search = new Search({ api: { get }, me: "2", pause });
  }

  async asks(count) {
    for (let tries = 0; this.asked.length < count; tries++) {
      assert.ok(tries < 200, `asked ${this.asked.length} times`);
      await sleep(5);
    }
    assert.equal(this.asked.length, count);
  }

  async answers(which, messages, has_older = false) {
    this.#waiting[which].resolve({ messages, has_older });
    await sleep(0);
  }

  async fails(which) {
    this.#waiting[which].reject({ detail: "not now", temporary: true });
    await sleep(0);
  }

  found() {
    return this.search.hits.map(({ body }) => body);
  }
}
