// Looking for what was said, and going there.

import assert from "node:assert/strict";
import { test } from "node:test";

import { audit } from "./chromium.mjs";
import { until } from "./hub.mjs";

const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
const LINES = 150; // some pages of history

/** `scene` has what the other stories have: `world`, `together(t, group)` and `someone(t)`. */
export function searchStories({ world, together, someone }) {
  test("a word leads back to where it was said, and from there to the newest", async (t) => {
    const { alice, bob, room } = await together(t, "Tide tables");
    await bob.say("The kingfisher nests by the old sluice");
    await posts(bob, world(), room, LINES, (i) => `line ${i}`);
    await alice.sees(`line ${LINES}`);
    await alice.makeGroup("Elsewhere");
    await alice.reload();

    alice.tell("presses Ctrl+Shift+F and types the beginning of a word");
    await searches(alice, "kingf");
    await seesHits(t, alice, ["The [kingf]isher nests by the old sluice"]);
    const head = await hits(alice).first().locator(".hit-head").textContent();
    assert.match(head, /Bob.*Tide tables/);

    alice.tell("chooses it with the arrow and Enter");
    await alice.page.keyboard.press("ArrowDown");
    await alice.page.keyboard.press("Enter");
    await alice.isIn("Tide tables");
    await isInSight(alice, "The kingfisher nests by the old sluice");
    assert.equal(await alice.line(`line ${LINES}`).count(), 0, "the newest is far away");
    assert.equal(await hits(alice).count(), 1, "the results stay open");
    t.diagnostic("Alice is in Tide tables, at a line said 150 lines ago");

    alice.tell("goes back to the newest");
    await alice.page.locator("[data-to-newest]").click();
    await alice.sees(`line ${LINES}`);
    await until("the newest line is in sight", 10_000, () => inSight(alice, `line ${LINES}`));
    await bob.say("and here is the present");
    await alice.sees("and here is the present");

    await alice.hook("search-input").press("Escape");
    await alice.hook("search-input").waitFor({ state: "hidden" });
    t.diagnostic("Escape closes the search");
  });

  test("results come in pages, for one conversation or all of them", async (t) => {
    const { alice, bob, room } = await together(t, "Reed bed");
    await posts(bob, world(), room, 45, (i) => `heron number ${i}`);
    await alice.sees("heron number 45");
    const other = await alice.makeGroup("Old harbour", [bob]);
    await posts(alice, world(), other, 1, () => "a heron in the harbour");
    await alice.enter("Reed bed");

    await alice.hook("search-room").click();
    await alice.hook("search-input").pressSequentially("heron");
    await until("the first page is there", 10_000, async () => (await hits(alice).count()) >= 20);
    assert.match(await texts(alice).then((all) => all[0]), /\[heron\] number 45/);
    alice.tell("scrolls through what was found");
    await until("all 45 are there", 20_000, async () => {
      await alice.page
        .locator("[data-search-scroll]")
        .evaluate((list) => list.scrollTo(0, list.scrollHeight));
      return (await hits(alice).count()) === 45;
    });
    assert.equal(new Set(await texts(alice)).size, 45, "each once");
    assert.match((await texts(alice)).at(-1), /\[heron\] number 1$/);

    alice.tell("looks everywhere");
    await alice.hook("search-everywhere").click();
    await until("the harbour is found, too", 10_000, async () =>
      (await texts(alice))[0]?.includes("harbour"),
    );
    t.diagnostic("45 hits in one conversation, paged; everywhere has one more, the newest");

    await alice.hook("search-here").click();
    await alice.enter("Old harbour");
    await seesHits(t, alice, ["a [heron] in the harbour"]);
    t.diagnostic("'in this conversation' follows to the one that is opened");

    await alice.hook("search-input").fill("number 45");
    await alice.hook("search-note").filter({ hasText: "in this conversation" }).waitFor();
    await alice.page.locator("[data-search-more] button").click();
    await seesHits(t, alice, ["heron [number] [45]"]);
  });

  test("what is found follows what happens", async (t) => {
    const { alice, bob } = await together(t, "Net loft");
    for (const text of ["the first net", "the second net", "the third net"]) {
      await bob.say(text);
      await alice.sees(text);
    }
    await searches(alice, "net");
    await seesHits(t, alice, ["the third [net]", "the second [net]", "the first [net]"]);

    await bob.does("delete", "the second net");
    await bob.visible("dialog-submit").click();
    await seesHits(t, alice, ["the third [net]", "the first [net]"]);

    await bob.does("edit", "the first net");
    await bob.hook("composer").fill("the first rope");
    await bob.hook("composer").press("Enter");
    await seesHits(t, alice, ["the third [net]"]);

    await bob.say("a new net");
    await seesHits(t, alice, ["a new [net]", "the third [net]"]);
  });

  test("any typing is a search, in any script", async (t) => {
    const { alice, bob } = await together(t, "Voices");
    const said = [
      "我在上海工作",
      "昨日ラーメンを食べた",
      "L'été à Zürich",
      "go on",
      '<b>bold</b> & "quoted"',
    ];
    for (const text of said) {
      await bob.say(text);
      await alice.sees(text);
    }
    await searches(alice, "上海");
    await seesHits(t, alice, ["我在[上海]工作"]);
    for (const [typed, found] of [
      ["ラーメン", "昨日[ラーメン]を食べた"],
      ["ETE zuri", "L'[été] à [Züri]ch"],
      ["go", "[go] on"],
      ['"go" AND', null],
      ['"quoted"', '<b>bold</b> & "[quoted]"'],
      ["<b>bold", '<[b]>[bold]</[b]> & "quoted"'],
      ["g", "Type a little more"],
      ['"*-', "Type a little more"],
      ["kingfisher", "Nothing found for “kingfisher”."],
    ]) {
      await alice.hook("search-input").fill(typed);
      if (found?.includes("[")) await seesHits(t, alice, [found]);
      else if (found === null) await seesHits(t, alice, []);
      else await alice.hook("search-note").filter({ hasText: found }).waitFor();
      t.diagnostic(`${typed} → ${found ?? "nothing"}`);
    }
    assert.equal(await hits(alice).locator("b").count(), 0, "text stays text");
  });

  test("a search that fails says so, and is tried again", async (t) => {
    const { alice, bob } = await together(t, "Fog");
    await bob.say("the lighthouse is dark");
    await alice.sees("the lighthouse is dark");
    await alice.page.route("**/api/v1/search?*", (route) => route.abort());
    await searches(alice, "lighthouse");
    await alice.hook("search-note").filter({ hasText: "cannot be reached" }).waitFor();
    alice.tell("is told that the server cannot be reached");
    await alice.page.unroute("**/api/v1/search?*");
    await alice.page.locator("[data-search-more] button").click();
    await seesHits(t, alice, ["the [lighthouse] is dark"]);
  });

  test("on a phone the search has the screen, and the results wait", async (t) => {
    const people = someone(t);
    const alice = await people.member("alice", world().first, PHONE);
    const bob = await people.member("bob", world().last);
    const room = await bob.makeGroup("Pocket map", [alice]);
    await posts(bob, world(), room, 1, () => "the footbridge is closed");
    await posts(bob, world(), room, 60, (i) => `step ${i}`);
    await posts(bob, world(), room, 1, () => "the footbridge is open");
    await bob.sees("the footbridge is open");

    await alice.listed("Pocket map").waitFor();
    await alice.hook("search-open").tap();
    await alice.hook("search-input").fill("footbridge");
    await seesHits(t, alice, ["the [footbridge] is open", "the [footbridge] is closed"]);
    const panel = await alice.page.locator("#search").boundingBox();
    assert.deepEqual([panel.width, panel.height], [390, 780], "all of the screen");

    alice.tell("is cut off for a moment");
    await alice.context.setOffline(true);
    await alice.page.evaluate(() => dispatchEvent(new Event("offline")));
    await alice.context.setOffline(false);
    await alice.page.evaluate(() => dispatchEvent(new Event("online")));
    await alice.isConnected();
    assert.ok(await alice.hook("search-input").isVisible(), "the search has the screen still");

    await hits(alice).last().tap();
    await isInSight(alice, "the footbridge is closed");
    assert.ok(!(await alice.hook("search-input").isVisible()), "the conversation has the screen");
    t.diagnostic("Alice sees the line in its place");

    await alice.hook("to-results").tap();
    await hits(alice).first().tap();
    await isInSight(alice, "the footbridge is open");
    await alice.hook("to-results").tap();
    await alice.page.locator("[data-search-close]").tap();
    await isInSight(alice, "the footbridge is open");
    const width = await alice.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `nothing sticks out to the side (${width} px)`);
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`the search keeps nobody out that axe knows of (${colorScheme})`, async (t) => {
      const people = someone(t);
      const look = { colorScheme, reducedMotion: "reduce" };
      const alice = await people.member("alice", world().first, look);
      const bob = await people.member("bob", world().last);
      await alice.makeGroup("Open search", [bob]);
      await bob.enter("Open search");
      await bob.say("low tide at six");
      await alice.sees("low tide at six");
      await searches(alice, "tide");
      await seesHits(t, alice, ["low [tide] at six"]);
      await hits(alice).first().click();
      await audit(alice, "what was found");
      await alice.hook("search-input").fill("nothing like it");
      await alice.hook("search-note").filter({ hasText: "Nothing found" }).waitFor();
      await audit(alice, "nothing found");
    });
  }
}

async function posts(person, world, room, count, text) {
  for (let i = 1; i <= count; i += 1)
    await world.last.call("POST", `/rooms/${room}/messages`, {
      token: person.token,
      body: { body: text(i) },
    });
}

async function searches(person, text) {
  await person.page.keyboard.press("Control+Shift+F");
  await person.hook("search-input").pressSequentially(text);
  person.tell(`searches for ${JSON.stringify(text)}`);
}

function hits(person) {
  return person.hook("search-hit");
}

/** What was found, with what is marked in brackets. */
function texts(person) {
  return person
    .hook("search-results")
    .locator(".hit-text")
    .evaluateAll((all) =>
      all.map((text) =>
        [...text.childNodes]
          .map((node) => (node.nodeName === "MARK" ? `[${node.textContent}]` : node.textContent))
          .join(""),
      ),
    );
}

async function seesHits(t, person, expected) {
  const wanted = JSON.stringify(expected);
  let seen;
  try {
    await until(`the results are ${wanted}`, 10_000, async () => {
      seen = JSON.stringify(await texts(person));
      return seen === wanted;
    });
  } catch (error) {
    throw new Error(`${error.message}; they are ${seen}`, { cause: error });
  }
  t.diagnostic(`${person.display} finds ${wanted}`);
}

/** The line is drawn, and all of it is before the person's eyes. */
async function inSight(person, text) {
  const line = person.line(text).locator(".bubble");
  if ((await line.count()) !== 1) return false;
  return line.evaluate((bubble) => {
    const box = bubble.getBoundingClientRect();
    const frame = bubble.closest(".messages").getBoundingClientRect();
    return frame.height > 0 && box.top >= frame.top && box.bottom <= frame.bottom;
  });
}

async function isInSight(person, text) {
  await until(`${person.display} has ${JSON.stringify(text)} before the eyes`, 15_000, () =>
    inSight(person, text),
  );
  person.tell(`sees ${JSON.stringify(text)} in its place`);
}
