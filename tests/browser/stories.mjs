// What two people live through at two browsers. The same stories for one hub on its own and for two
// hubs that share a log, where Alice is at the first and Bob at the second.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { audit, launch } from "./chromium.mjs";
import { until } from "./hub.mjs";
import { cast, tell } from "./person.mjs";

export function stories(name, start) {
  describe(name, { timeout: 900_000 }, () => {
    let world, browser;

    before(async () => {
      world = await start();
      browser = await launch();
    });

    after(async () => {
      await browser?.close();
      await world?.end();
    });

    afterEach(async (t) => {
      if (!t.error) return;
      for (const hub of world.hubs) tell(`the log of ${hub.name} ends:\n${await hub.tail()}`);
    });

    /** Alice at the first hub and Bob at the last, both in one group. */
    async function together(t, group) {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);
      const room = await alice.makeGroup(group, [bob]);
      await bob.enter(group);
      return { alice, bob, room, people };
    }

    test("alice signs up, logs out and logs in again", async (t) => {
      const alice = cast(t, browser).stranger("alice", world.first);
      await alice.arrive();

      alice.tell("comes to / as a stranger and is sent to log in");
      await alice.page.goto(world.first.url);
      await alice.page.waitForURL("**/login*");

      await alice.signUp();
      await alice.reload();
      await alice.logOut();

      alice.tell("types a wrong password and is told so");
      await alice.logIn("not her password");
      await alice.page.locator(".field-error:not(:empty)").waitFor();

      alice.tell("logs in");
      await alice.logIn();
      await alice.seesTheChat();
    });

    test("alice makes a group and invites bob; both see each other's lines at once", async (t) => {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);

      await alice.makeGroup("Reed bed");
      await alice.say("is anybody here?");
      await alice.sees("is anybody here?");
      await alice.invite(bob);

      bob.tell("sees the group appear without reloading");
      await bob.enter("Reed bed");
      await bob.sees("is anybody here?");

      await bob.say("I am, Alice");
      const start = Date.now();
      await alice.sees("I am, Alice");
      const waited = Date.now() - start;
      assert.ok(waited < 2_000, `the line took ${waited} ms`);
      await bob.sees("I am, Alice");

      alice.tell("writes two lines into one message with Shift and Enter");
      await alice.hook("composer").pressSequentially("one");
      await alice.hook("composer").press("Shift+Enter");
      await alice.hook("composer").pressSequentially("two");
      await alice.hook("send").click();
      const both = bob
        .hook("messages")
        .locator(".body")
        .filter({ hasText: /^\s*one\s*two\s*$/ });
      await both.waitFor();
      assert.match(await both.innerText(), /one\ntwo/);
    });

    test("an unread badge counts, and goes when the room is opened", async (t) => {
      const { alice, bob } = await together(t, "First nest");
      await alice.makeGroup("Second nest", [bob]);
      await bob.listed("Second nest").waitFor();

      await alice.say("over here");
      await alice.say("and once more");
      bob.tell("reads 2 on the badge of the other room");
      await until("the badge says 2", 10_000, async () => {
        return (
          (await bob.listed("Second nest").locator(".badge").allTextContents()).join("").trim() ===
          "2"
        );
      });

      await bob.enter("Second nest");
      await bob.sees("and once more");
      await bob.listed("Second nest").locator(".badge").waitFor({ state: "hidden" });
      bob.tell("has no badge any more");
    });

    test("bob sees that alice is typing", async (t) => {
      const { alice, bob } = await together(t, "Drum");
      await alice.hook("composer").pressSequentially("wait for it", { delay: 30 });
      await bob.hook("typing").filter({ hasText: "Alice" }).waitFor();
      bob.tell("sees that Alice is typing");
    });

    test("the dots follow the people", async (t) => {
      const { alice, bob } = await together(t, "Dots");
      await alice.showMembers();
      await alice.seesStatus(bob, "online");

      bob.tell("closes the browser");
      await bob.leave();
      await alice.seesStatus(bob, "offline");

      bob.tell("comes back");
      await bob.comeBack();
      await alice.seesStatus(bob, "online");
    });

    test("the members panel shows who is in, and who has left", async (t) => {
      const { alice, bob } = await together(t, "Roost");
      await alice.showMembers();
      await alice.member(alice).waitFor();
      assert.match(await alice.member(bob).textContent(), /Bob/);
      assert.equal(await alice.hook("members").locator("[data-user-id]").count(), 2);

      bob.tell("leaves the group");
      await bob.showMembers();
      await bob.hook("leave").click();
      const confirm = bob.visible("dialog-submit");
      await until("the room is gone from the list", 10_000, async () => {
        if (await confirm.isVisible()) await confirm.click().catch(() => {});
        return (await bob.listed("Roost").count()) === 0;
      });
      await alice.member(bob).waitFor({ state: "detached" });
      alice.tell("sees him gone from the panel");
    });

    test("what was said is there after reloading", async (t) => {
      const { alice, bob } = await together(t, "Memory");
      await alice.say("remember the heron");
      await bob.sees("remember the heron");
      await bob.say("I shall");
      await alice.sees("I shall");

      await alice.reload();
      await alice.isIn("Memory");
      await alice.sees("remember the heron");
      await alice.sees("I shall");
      assert.deepEqual(await alice.bodies(), ["remember the heron", "I shall"]);
    });

    test("older lines load on scrolling up", async (t) => {
      const { alice, bob, room } = await together(t, "Archive");
      tell("120 lines are posted by the API");
      for (let i = 1; i <= 120; i += 1) {
        await world.last.call("POST", `/rooms/${room}/messages`, {
          token: bob.token,
          body: { body: `line ${i}` },
        });
      }
      await alice.sees("line 120");
      await alice.reload();
      await alice.sees("line 120");
      assert.equal(await alice.page.getByText("line 1", { exact: true }).count(), 0);

      alice.tell("scrolls up until the first line");
      const list = alice.hook("messages");
      await until("line 1 is there", 30_000, async () => {
        await list.evaluate((element) => element.scrollTo(0, 0));
        return (await alice.bodies()).includes("line 1");
      });
      const numbers = (await alice.bodies()).map((body) => Number(body.replace("line ", "")));
      assert.deepEqual(
        numbers,
        numbers.map((_, i) => i + 1),
        "in order, without a gap or a repeat",
      );
    });

    test("a direct conversation", async (t) => {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);

      const room = await alice.talkTo(bob);
      await alice.say("just the two of us");
      await bob.enter("Alice");
      await bob.sees("just the two of us");
      await bob.say("as it should be");
      await alice.sees("as it should be");
      assert.equal(await bob.talkTo(alice), room, "there is only one room for two people");
    });

    test("a deep link leads to its room, also through the login", async (t) => {
      const { alice, bob, room } = await together(t, "Deep");
      await alice.say("at the bottom");
      await bob.logOut();
      bob.tell("follows a link to the room and logs in on the way");
      await bob.page.goto(`${world.last.url}/#${room}`);
      await bob.page.waitForURL("**/login*");
      await bob.logIn();
      await bob.isIn("Deep");
      await bob.sees("at the bottom");
    });

    test("the hub is killed and started again: nothing is lost, nothing comes twice", async (t) => {
      const { alice, bob, room } = await together(t, "Storm");
      for (const text of ["before the storm", "clouds"]) {
        await alice.say(text);
        await bob.sees(text);
      }

      tell(`kill -9 of ${world.first.name}`);
      await world.first.kill();
      await alice.isCutOff();
      alice.tell("sees the banner");
      await alice.say("typed in the dark");
      await alice.pending("typed in the dark").waitFor();
      alice.tell("sees her line waiting");
      const elsewhere = world.hubs.length > 1;
      if (elsewhere) {
        await bob.say("still here on the other one");
        await bob.sees("still here on the other one");
      }

      tell(`${world.first.name} starts again`);
      await world.first.start();
      for (const person of [alice, bob]) {
        await person.isConnected();
        await person.sees("before the storm");
        await person.sees("clouds");
        await person.sees("typed in the dark", 30_000);
        if (elsewhere) await person.sees("still here on the other one");
      }
      assert.deepEqual(await alice.bodies(), await bob.bodies(), "both see the same order");

      const { messages } = await world.first.call("GET", `/rooms/${room}/messages`, {
        token: alice.token,
      });
      assert.deepEqual(
        messages.map((message) => message.body),
        await alice.bodies(),
        "and so does the history",
      );
      await alice.reload();
      await alice.sees("typed in the dark");
    });

    test("a line that waits outlives a reload of the page, and is sent once", async (t) => {
      const { alice, bob } = await together(t, "Wind");
      await alice.speaksIntoTheWind();
      await alice.say("can you hear me?");
      await alice.pending("can you hear me?").waitFor();
      assert.deepEqual(await bob.bodies(), []);

      await alice.reload();
      await alice.sees("can you hear me?");
      await bob.sees("can you hear me?");
      await alice.reload();
      await alice.sees("can you hear me?");
      assert.deepEqual(await bob.bodies(), ["can you hear me?"]);
    });

    test("what alice was about to say waits in its room, also through a reload", async (t) => {
      const { alice } = await together(t, "Thought");
      await alice.hook("composer").fill("half a thou");
      await alice.makeGroup("Elsewhere");
      assert.equal(await alice.hook("composer").inputValue(), "");
      await alice.listed("Thought").getByText("Draft: half a thou").waitFor();
      await alice.reload();
      await alice.enter("Thought");
      assert.equal(await alice.hook("composer").inputValue(), "half a thou");
      await alice.say("a whole one");
      await alice.enter("Elsewhere");
      await alice.listed("Thought").getByText("You: a whole one").waitFor();
    });

    test("what was not sent before a removal can still be read, and deleted", async (t) => {
      const { alice, bob, room } = await together(t, "Cliff");
      await bob.speaksIntoTheWind();
      await bob.say("I was about to say");
      await bob.pending("I was about to say").waitFor();

      alice.tell("removes bob");
      await world.first.call("DELETE", `/rooms/${room}/members/${bob.id}`, { token: alice.token });
      await bob.page.getByText("You were removed from “Cliff”. 1 message was not sent.").waitFor();
      await bob.listed("Cliff").waitFor({ state: "detached" });

      await bob.reload();
      await bob.hook("unsent").click();
      const line = bob.page.locator("dialog [data-client-id]", { hasText: "I was about to say" });
      await line.getByText("You were removed from “Cliff”.").waitFor();
      bob.tell("reads what he wrote, and deletes it");
      await line.getByTestId("discard").click();
      await bob.hook("unsent").waitFor({ state: "hidden" });
      assert.deepEqual(await alice.bodies(), []);
    });

    test("whose account is disabled is told so, and is not reconnected", async (t) => {
      const { alice, bob } = await together(t, "Rules");
      tell("the operator disables bob's account");
      await world.last.command("user", "disable", bob.username);
      await bob.hook("banner").getByText("This account is disabled.").waitFor();
      bob.tell("sees why he is out, and no button to try again");
      assert.equal(await bob.page.locator("[data-banner-retry]").isVisible(), false);
      await bob.page.reload();
      await bob.page.waitForURL("**/login*");
      await bob.logIn();
      await bob.page.locator(".field-error", { hasText: "this account is disabled" }).waitFor();

      tell("the operator enables it again");
      await world.last.command("user", "enable", bob.username);
      await bob.logIn();
      await bob.isIn("Rules");
      await alice.say("welcome back");
      await bob.sees("welcome back");
    });

    test("what people write is text, never markup", async (t) => {
      const people = cast(t, browser);
      const alice = await people.member("alice", world.first);
      const bob = await people.member("bob", world.last);
      const name = '<b onmouseover="alert(2)">Loud</b>';
      await alice.makeGroup(name, [bob]);
      await bob.enter(name);

      const text = "<img src=x onerror=alert(1)>";
      await alice.say(text);
      await bob.sees(text);
      for (const person of [alice, bob]) {
        assert.equal(await person.page.locator('img[src="x"], [onmouseover]').count(), 0);
      }
    });

    test("the page allows no script but its own", async (t) => {
      const { alice } = await together(t, "Fence");
      const answer = await alice.context.request.get(world.first.url);
      const policy = answer.headers()["content-security-policy"];
      assert.ok(policy, "there is a policy");
      assert.doesNotMatch(policy, /unsafe-eval|script-src[^;]*unsafe-inline/);

      alice.tell("is made to run an inline script, which the browser refuses");
      const ran = await alice.page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.head.append(script);
        return window.ran === true;
      });
      assert.equal(ran, false);
      await until("the browser reported it", 5_000, () => alice.complaints.length > 0);
      assert.match(alice.complaints.splice(0).join("\n"), /Content Security Policy/);
    });

    test("on a phone", async (t) => {
      const people = cast(t, browser);
      const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
      const alice = await people.member("alice", world.first, phone);
      const bob = await people.member("bob", world.last);
      await bob.makeGroup("Pocket", [alice]);
      await bob.say(
        "a line long enough to need more than the one row that a narrow phone has for it",
      );

      await alice.enter("Pocket");
      await alice.sees(
        "a line long enough to need more than the one row that a narrow phone has for it",
      );
      for (const place of ["composer", "send"]) {
        const box = await alice.hook(place).boundingBox();
        assert.ok(
          box && box.x >= 0 && box.x + box.width <= 390 && box.y + box.height <= 780,
          `${place} is in view`,
        );
      }
      await alice.say("from my pocket");
      await bob.sees("from my pocket");
      await alice.showMembers();
      await alice.member(bob).waitFor();
      const width = await alice.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `nothing sticks out to the side (${width} px)`);
    });

    for (const colorScheme of ["light", "dark"]) {
      test(`nothing that axe knows keeps anybody out (${colorScheme})`, async (t) => {
        const people = cast(t, browser);
        // Without motion: a dialog that fades in is too pale for a moment.
        const look = { colorScheme, reducedMotion: "reduce" };
        const alice = await people.member("alice", world.first, look);
        const bob = await people.member("bob", world.last);
        await alice.makeGroup("Open to all", [bob]);
        await alice.say("hello");
        await alice.sees("hello");
        await alice.showMembers();
        await alice.member(bob).waitFor();
        await audit(alice, "the chat");
        await alice.hook("new-group").click();
        await alice.visible("dialog-name").waitFor();
        await audit(alice, "a dialog");
        for (const path of ["/login", "/signup"]) {
          await alice.page.context().clearCookies();
          await alice.page.goto(world.first.url + path);
          await audit(alice, path);
        }
      });
    }
  });
}
