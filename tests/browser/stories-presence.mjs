// What two people see of each other's comings and goings, and the contacts. A hub of their own, where
// one is away after a few seconds.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { audit, launch } from "./chromium.mjs";
import { until } from "./hub.mjs";
import { cast } from "./person.mjs";

const AWAY_SECONDS = 4;
const SOON = 10_000;

export function presenceStories(name, start) {
  describe(`presence and contacts, ${name}`, { timeout: 300_000 }, () => {
    let world, browser;

    before(async () => {
      world = await start({ ROOKERY_PRESENCE__AWAY_SECONDS: String(AWAY_SECONDS) });
      browser = await launch();
    });

    after(async () => {
      await browser?.close();
      await world?.end();
    });

    /** Alice at the first hub and Bob at the last, talking to each other. */
    async function talking(t) {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);
      await alice.talkTo(bob);
      return { alice, bob, people };
    }

    /** Waits for what stands below the name in the head of the open conversation. */
    async function reads(t, person, words, patience = SOON) {
      const begun = Date.now();
      const about = person.page.locator("[data-room-about]", { hasText: words });
      await about.waitFor({ timeout: patience });
      t.diagnostic(`${person.display} reads "${words}" after ${Date.now() - begun} ms`);
    }

    test("who does nothing is away, and back with the first touch", async (t) => {
      const { alice, bob } = await talking(t);
      await reads(t, alice, "Online");
      await reads(t, alice, "Away");
      assert.equal(await dot(alice, ".room-head"), "away");
      assert.equal(await dot(alice, "[data-room-id]"), "away");

      bob.tell("moves the mouse");
      await bob.page.mouse.move(200 + Math.random() * 100, 300);
      await bob.page.mouse.move(400, 320);
      await reads(t, alice, "Online", 2_000);
      await reads(t, alice, "Away");
      bob.tell("types something");
      await bob.page.keyboard.press("Shift");
      await reads(t, alice, "Online", 2_000);

      bob.tell("closes the browser");
      await bob.leave();
      await reads(t, alice, "Last seen just now");
      assert.equal(await dot(alice, ".room-head"), "offline");
      alice.tell("goes on looking for five minutes, by her clock");
      await alice.page.clock.setFixedTime(Date.now() + 5 * 60_000 + 5_000);
      await reads(t, alice, "Last seen 5 minutes ago", 30_000);

      alice.tell("opens the members");
      await alice.showMembers();
      await alice.member(bob).getByText("Last seen 5 minutes ago").waitFor();
    });

    test("typing is seen for as long as it goes on", async (t) => {
      const { alice, bob } = await talking(t);
      await bob.enter("Alice");
      const typing = alice.hook("typing").filter({ hasText: "Bob is typing…" });
      await bob.hook("composer").pressSequentially("hm", { delay: 30 });
      await typing.waitFor();
      await bob.hook("composer").pressSequentially("m".repeat(60), { delay: 100 });
      assert.ok(await typing.isVisible(), "six seconds later he still is");
      const stopped = Date.now();
      await typing.waitFor({ state: "hidden", timeout: 8_000 });
      t.diagnostic(`Alice sees that Bob stopped ${Date.now() - stopped} ms after`);
      await bob.hook("composer").press("Enter");
      await bob.hook("composer").pressSequentially("and", { delay: 30 });
      await typing.waitFor();
      await bob.hook("composer").press("Enter");
      await typing.waitFor({ state: "hidden", timeout: 2_000 });
      await alice.sees("and");
    });

    test("the window in use counts, and not the one that lies open", async (t) => {
      const { alice, bob } = await talking(t);
      bob.tell("opens a second window and writes in it, the first lies open");
      const second = await bob.context.newPage();
      await second.goto(bob.hub.url);
      await second.getByTestId("banner").waitFor({ state: "hidden" });
      await reads(t, alice, "Online");
      const about = alice.page.locator("[data-room-about]");
      const end = Date.now() + 2.5 * AWAY_SECONDS * 1000;
      for (let x = 200; Date.now() < end; x = 200 + ((x + 7) % 300)) {
        await second.mouse.move(x, 300);
        assert.equal(await about.textContent(), "Online");
        await sleep(100);
      }
      t.diagnostic(`Alice read "Online" for ${2.5 * AWAY_SECONDS} s of Bob's writing`);
      bob.tell("leaves both alone");
      await reads(t, alice, "Away");
    });

    test("a page that comes back by itself does not bring its person back", async (t) => {
      const { alice, bob } = await talking(t);
      await reads(t, alice, "Away");
      bob.tell("is not there while the network goes and comes");
      await bob.context.setOffline(true);
      await bob.isCutOff();
      await reads(t, alice, "Last seen just now", 60_000);
      await bob.context.setOffline(false);
      await bob.isConnected();
      await reads(t, alice, "Away");
      bob.tell("comes back");
      await bob.page.keyboard.press("Shift");
      await reads(t, alice, "Online", 2_000);
    });

    test("the contacts: everyone on this hub, as they come and go", async (t) => {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);
      const contact = (person, list = "contacts-here") =>
        alice.hook(list).locator(`[data-person-id="${person.id}"]`);

      alice.tell("asks who is here");
      await alice.page.getByRole("link", { name: "See who is here" }).click();
      assert.equal(new URL(alice.page.url()).hash, "#contacts");
      await contact(bob).waitFor();

      const carol = await people.member("carol", world.last);
      await contact(carol).waitFor();
      t.diagnostic("Alice sees Carol, who has just signed up, without reloading");

      bob.tell("does nothing");
      await contact(bob).getByText("Away").waitFor();
      bob.tell("closes the browser");
      await bob.leave();
      await contact(bob, "contacts-others").getByText("Last seen just now").waitFor();
      t.diagnostic("Alice sees Bob away, then gone");
      const dave = { id: await signUp(world.last, `dave_${process.pid}`) };
      const made = Date.now();
      await contact(dave, "contacts-others").waitFor({ timeout: 40_000 });
      t.diagnostic(`Alice sees Dave, who has never been here, ${Date.now() - made} ms after`);

      alice.tell("types a part of a name");
      await alice.hook("contacts-search").pressSequentially(carol.username.slice(0, -1));
      await contact(bob, "contacts-others").waitFor({ state: "detached" });
      await contact(carol, "contacts-others").waitFor();
      await alice.hook("contacts-search").fill("nobody at all");
      await alice.page.getByText("Nobody is called like that.").waitFor();
      await alice.hook("contacts-search").fill("");
      await contact(dave, "contacts-others").waitFor();

      alice.tell("opens a conversation with Carol from there, and goes back");
      await contact(carol).click();
      await alice.isIn("Carol");
      await alice.say("hello Carol");
      await carol.enter("Alice");
      await carol.sees("hello Carol");
      await alice.page.goBack();
      await contact(carol).waitFor();
      await alice.reload();
      await contact(carol).waitFor();
    });

    test("many contacts come page by page", async (t) => {
      const alice = await cast(t, browser).member("alice", world.first);
      const flock = `flock${process.pid}`;
      for (let at = 0; at < 120; at += 1)
        await signUp(world.first, `${flock}_${String(at).padStart(3, "0")}`);
      await alice.hook("contacts-open").click();
      await alice.hook("contacts-search").fill(flock);
      const rows = alice.hook("contacts-others").locator("li");
      await until("a page is there", SOON, async () => (await rows.count()) >= 50);
      const first = await rows.count();
      assert.ok(first < 120, `not everybody at once: ${first}`);
      await until("the rest is there", SOON, async () => {
        await alice.page.locator("[data-contacts-scroll]").hover();
        await alice.page.mouse.wheel(0, 3_000);
        return (await rows.count()) === 120;
      });
      const names = await rows.locator(".person-username").allTextContents();
      assert.deepEqual(names, [...names].sort());
      t.diagnostic(`Alice scrolls through 120 people, ${first} of them there at first`);
    });

    for (const colorScheme of ["light", "dark"])
      test(`nothing that axe knows keeps anybody out of the contacts (${colorScheme})`, async (t) => {
        const people = cast(t, browser);
        const look = { colorScheme, reducedMotion: "reduce" };
        const alice = await people.member("alice", world.first, look);
        const bob = await people.member("bob", world.last);
        await alice.hook("contacts-open").click();
        await alice.hook("contacts-here").locator(`[data-person-id="${bob.id}"]`).waitFor();
        await audit(alice, "the contacts");
        alice.tell("walks there with the keyboard");
        await alice.hook("contacts-search").fill(bob.username);
        await alice.hook("contacts-others").locator(`[data-person-id="${bob.id}"]`).waitFor();
        await alice.hook("contacts-search").press("ArrowDown");
        await alice.page.keyboard.press("Enter");
        await alice.isIn("Bob");
      });

    test("the contacts on a phone", async (t) => {
      const people = cast(t, browser);
      const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
      const alice = await people.member("alice", world.first, phone);
      const bob = await people.member("bob", world.last);
      await alice.hook("contacts-open").tap();
      const row = alice.hook("contacts-here").locator(`[data-person-id="${bob.id}"]`);
      await row.waitFor();
      const width = await alice.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `nothing sticks out to the side (${width} px)`);
      await alice.page.locator(".contacts .back").tap();
      await alice.hook("room-list").waitFor();
      await alice.hook("contacts-open").tap();
      await row.tap();
      await alice.isIn("Bob");
    });
  });
}

async function dot(person, place) {
  return person.page.locator(`${place} .presence`).first().getAttribute("data-status");
}

/** Somebody who has an account and was never here. */
async function signUp(hub, username) {
  const body = { username, password: "a heron stood in the reeds" };
  return (await hub.call("POST", "/users", { body })).user.id;
}
