// What two people live through at two browsers. The same stories for one hub on its own and for two
// hubs that share a log, where Alice is at the first and Bob at the second. Those in files of their own
// need one kind of hub only to be told, and take as long as all the others.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { audit, launch } from "./chromium.mjs";
import { until } from "./hub.mjs";
import { cast, tell } from "./person.mjs";
import { accountStories } from "./stories-account.mjs";
import { outboxStories } from "./stories-outbox.mjs";
import { searchStories } from "./stories-search.mjs";
import { presenceStories } from "./stories-presence.mjs";
import { readingStories } from "./stories-reading.mjs";
import { standingStories } from "./stories-standing.mjs";

export function stories(name, start, { everything }) {
  if (everything) presenceStories(name, start);
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

    if (everything) standingStories(together, () => ({ world, browser }));
    outboxStories(together, () => ({ world }));

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

    test("an edit shows at the other's, and a deletion leaves only its place", async (t) => {
      const { alice, bob } = await together(t, "Second thoughts");
      await alice.say("Hullo");
      await bob.sees("Hullo");

      alice.tell("edits her last line with the arrow key");
      await alice.hook("composer").press("ArrowUp");
      assert.equal(await alice.hook("composer").inputValue(), "Hullo");
      await alice.hook("composer").fill("Hello");
      await alice.hook("composer").press("Enter");
      for (const person of [alice, bob]) {
        await person.sees("Hello");
        await person.line("Hello").locator(".edited[title^='Edited ']").waitFor();
      }
      assert.equal(await alice.hook("composer").inputValue(), "");

      await alice.does("edit", "Hello");
      await alice.hook("composer").fill("not this");
      await alice.hook("composer").press("Escape");
      await alice.hook("composer-context").waitFor({ state: "hidden" });
      await alice.sees("Hello");

      await bob.line("Hello").locator(".bubble").hover();
      await bob.line("Hello").getByTestId("line-more").click();
      await bob.hook("action-reply").waitFor();
      assert.equal(await bob.hook("action-edit").count(), 0, "others cannot edit it");
      assert.equal(await bob.hook("action-delete").count(), 0, "nor delete it");
      await bob.page.keyboard.press("Escape");
      await bob.hook("action-reply").waitFor({ state: "detached" });

      await bob.say("rude words");
      await alice.sees("rude words");
      await alice.does("delete", "rude words");
      await alice.visible("dialog-submit").click();
      for (const person of [alice, bob]) {
        await person.sees("Message deleted");
        assert.deepEqual(await person.bodies(), ["Hello", "Message deleted"]);
        const html = await person.hook("messages").innerHTML();
        assert.ok(!html.includes("rude"), "nothing of it is left");
        await person.reload();
        await person.sees("Hello");
        assert.deepEqual(await person.bodies(), ["Hello", "Message deleted"]);
      }
    });

    test("reactions are counted, shown as mine or not, and taken back", async (t) => {
      const { alice, bob } = await together(t, "Applause");
      await alice.say("It works");
      await bob.sees("It works");
      await bob.reacts("🎉", "It works");
      await bob.counts(1, "🎉", "It works", true);
      await alice.counts(1, "🎉", "It works", false);

      alice.tell("clicks on it, too");
      await alice.reaction("🎉", "It works").click();
      await alice.counts(2, "🎉", "It works", true);
      await bob.counts(2, "🎉", "It works", true);

      bob.tell("takes his back");
      await bob.reaction("🎉", "It works").click();
      await alice.counts(1, "🎉", "It works", true);
      await bob.counts(1, "🎉", "It works", false);

      alice.tell("looks for another one by its name");
      await alice.line("It works").locator(".bubble").hover();
      await alice.line("It works").getByTestId("line-react").click();
      await alice.hook("palette-search").fill("rock");
      await alice.hook("palette-search").press("Enter");
      await bob.counts(1, "🤘", "It works", false);
      await alice.reload();
      await alice.counts(1, "🎉", "It works", true);
      await alice.reaction("🎉", "It works").click();
      for (const person of [alice, bob])
        await person.reaction("🎉", "It works").waitFor({ state: "detached" });
    });

    test("the menu of a line is reached by the keyboard alone", async (t) => {
      const { alice, bob } = await together(t, "Keys");
      for (const text of ["first", "second"]) await alice.say(text);
      await bob.sees("second");
      bob.tell("goes from the composer to the lines, up one, and reacts");
      await bob.hook("composer").focus();
      await bob.page.keyboard.press("Shift+Tab");
      await bob.page.keyboard.press("ArrowUp");
      await bob.page.keyboard.press("Enter");
      await bob.hook("action-reply").waitFor();
      await bob.page.keyboard.press("Home");
      await bob.page.keyboard.press("Enter");
      await alice.counts(1, "👍", "first", false);
      await bob.counts(1, "👍", "first", true);
      const focused = () => bob.page.evaluate(() => document.activeElement.className);
      assert.match(await focused(), /line-more/, "the focus is where it was");
      await bob.page.keyboard.press("Enter");
      await bob.page.keyboard.press("Enter");
      await bob.hook("composer-context").filter({ hasText: "first" }).waitFor();
      await bob.page.keyboard.type("by keys");
      await bob.page.keyboard.press("Enter");
      await alice.sees("by keys");
      assert.match(await alice.line("by keys").locator(".quote").textContent(), /Alice.*first/);
    });

    test("a reply shows what it replies to, and leads there, however long ago that was", async (t) => {
      const { alice, bob, room } = await together(t, "Long memory");
      await alice.say("Where is the key?");
      await bob.sees("Where is the key?");
      tell("120 lines are posted by the API");
      for (let i = 1; i <= 120; i += 1) {
        await world.last.call("POST", `/rooms/${room}/messages`, {
          token: bob.token,
          body: { body: `line ${i}` },
        });
      }
      await bob.does("reply", "Where is the key?");
      await bob.hook("composer-context").filter({ hasText: "Replying to Alice" }).waitFor();
      await bob.say("Under the mat.");
      await bob.hook("composer-context").waitFor({ state: "hidden" });
      await alice.sees("Under the mat.");
      await alice.reload();
      await alice.sees("Under the mat.");
      const quote = alice.line("Under the mat.").getByTestId("quote");
      assert.match(await quote.textContent(), /Alice.*Where is the key\?/);
      assert.equal(await alice.line("Where is the key?").count(), 0, "it is not on the page");

      alice.tell("clicks on the quote");
      await quote.click();
      await alice.line("Where is the key?").waitFor();
      assert.ok(await alice.line("Where is the key?").locator(".bubble").isVisible());
      assert.equal(await alice.line("Under the mat.").count(), 0, "the newest is far away");

      alice.tell("goes elsewhere and comes back, to the newest");
      await alice.makeGroup("Short memory");
      await alice.enter("Long memory");
      await alice.sees("Under the mat.");
      await quote.click();
      await alice.line("Where is the key?").waitFor();

      await bob.say("said meanwhile");
      await bob.sees("said meanwhile");
      alice.tell("scrolls down to the newest");
      await until("the newest line is there", 30_000, async () => {
        await alice.hook("messages").evaluate((list) => list.scrollTo(0, list.scrollHeight));
        return (await alice.bodies()).includes("said meanwhile");
      });
      assert.deepEqual(await alice.bodies(), [
        "Where is the key?",
        ...Array.from({ length: 120 }, (_, i) => `line ${i + 1}`),
        "Under the mat.",
        "said meanwhile",
      ]);

      await alice.does("delete", "Where is the key?");
      await alice.visible("dialog-submit").click();
      for (const person of [alice, bob]) {
        const left = person.line("Under the mat.").getByTestId("quote");
        await left.filter({ hasText: "Message deleted" }).waitFor();
        assert.ok(!(await left.textContent()).includes("key"), "the quote lost its text");
      }
    });

    test("a mention is offered while it is typed, and stands out where it calls", async (t) => {
      const { alice, bob } = await together(t, "Roll call");
      await bob.hook("composer").pressSequentially("over to @al");
      const offered = bob.hook("mention-list").locator("[role=option]");
      await offered.filter({ hasText: `@${alice.username}` }).waitFor();
      assert.equal(await offered.count(), 1, "nobody else is meant");
      await bob.hook("composer").press("Enter");
      assert.equal(await bob.hook("composer").inputValue(), `over to @${alice.username} `);
      await bob.hook("composer").pressSequentially("and **@al");
      await offered.click();
      await bob.hook("composer").pressSequentially("!");
      await bob.hook("composer").press("Escape");
      await bob.hook("composer").press("Enter");
      const line = `over to @${alice.username} and **@${alice.username} !`;
      await alice.sees(line);
      assert.equal(await alice.line(line).locator(".mention.me").count(), 2);
      await bob.sees(line);
      assert.equal(await bob.line(line).locator(".mention.me").count(), 0, "he is not called");
      alice.tell("may call everyone");
      await alice.hook("composer").pressSequentially("@");
      await alice.hook("mention-list").locator('[data-username="all"]').waitFor();
      await alice.hook("composer").press("Escape");
      await alice.hook("mention-list").waitFor({ state: "hidden" });
    });

    test("Markdown is shown as what it means", async (t) => {
      const { alice, bob } = await together(t, "Notes");
      const code = `let wide = "${"x".repeat(300)}";`;
      await alice.say(`**bold** and _soft_\n\n- one\n- two\n\n\`\`\`\n${code}\n\`\`\``);
      const body = bob.hook("messages").locator(".body.rendered");
      await body.locator("strong", { hasText: "bold" }).waitFor();
      assert.deepEqual(await body.locator("li").allTextContents(), ["one", "two"]);
      assert.equal(await body.locator("pre").textContent(), `${code}\n`);
      const [line, block] = await body.evaluate((element) => {
        const pre = element.querySelector("pre");
        return [element.closest(".messages"), pre].map((e) => e.scrollWidth - e.clientWidth);
      });
      assert.ok(line <= 0 && block > 0, "the code scrolls sideways, and nothing else does");

      bob.tell("copies the code");
      await bob.context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await body.getByTestId("code-copy").click();
      const copied = () => bob.page.evaluate(() => navigator.clipboard.readText());
      await until("it is in the clipboard", 5_000, async () => (await copied()) === code);

      await alice.say("see https://example.org/a?b=1&c=2");
      const link = bob.hook("messages").locator(".body a");
      await link.waitFor();
      assert.equal(await link.getAttribute("href"), "https://example.org/a?b=1&c=2");
      assert.equal(await link.getAttribute("target"), "_blank");
      assert.match(await link.getAttribute("rel"), /noopener/);
    });

    test("no script, image or foreign markup gets in, from the server neither", async (t) => {
      const { alice, bob } = await together(t, "Border");
      const lines = [
        "![cat](https://example.org/cat.png)",
        "[x](javascript:alert(1))",
        "<script>window.ran = 1</script>",
        "**a** <img src=x onerror=window.ran=1> <svg onload=window.ran=1>",
        "<style>body { display: none }</style> _b_",
        '[a](https://example.org/"onmouseover="window.ran=1)',
      ];
      for (const text of lines) await alice.say(text);
      await until("all of it came", 10_000, async () => (await bob.bodies()).length === 6);
      const foreign =
        "img, svg:not(.icon), script, style, iframe, [onerror], [onmouseover], [style]";
      for (const person of [alice, bob]) {
        await until("none of it waits", 10_000, async () => !(await person.pending("").count()));
        assert.equal(await person.hook("messages").locator(`.lines :is(${foreign})`).count(), 0);
        assert.equal(await person.page.evaluate(() => window.ran), undefined);
      }

      bob.tell("is sent by a hub gone mad what no hub sends");
      const html = await bob.page.evaluate(async () => {
        const { fromHtml } = await import("/static/lib/markup.js");
        const place = document.createElement("div");
        place.append(
          ...fromHtml(
            `<p onclick="window.ran=1" style="color:red" class="banner" id="members">a
             <img src="/x" onerror="window.ran=1"><script>window.ran=1</scr` +
              `ipt><svg onload="window.ran=1"><a href="javascript:window.ran=1">b</a></svg>
             <a href="JaVaScRiPt:window.ran=1">c</a><a href="https://example.org" onclick="x" target="_self">d</a>
             <iframe src="/"></iframe><form action="/"><input name="q"><button>e</button></form>
             <math><mtext><style>p{}</style></mtext></math><ol start="7" type="a"><li value="9">f</ol>
             ${"<blockquote>".repeat(300)}deep`,
          ),
        );
        document.body.append(place);
        await new Promise((resolve) => setTimeout(resolve, 100));
        const left = place.innerHTML;
        place.remove();
        return left;
      });
      const tags = new Set(html.match(/<[a-z][^>]*>/g));
      const outside = 'rel="nofollow noopener noreferrer" target="_blank"';
      assert.deepEqual([...tags].sort(), [
        `<a href="https://example.org" ${outside}>`,
        "<a>",
        "<blockquote>",
        "<li>",
        '<ol start="7">',
        "<p>",
      ]);
      assert.match(html, /deep/);
      // The browser says of it that it would have refused the handlers, had they got further.
      const refused = /Content Security Policy/;
      assert.ok(bob.complaints.splice(0).every((complaint) => refused.test(complaint)));
      assert.equal(await bob.page.evaluate(() => window.ran), undefined);
    });

    test("what became of the lines is the same after the hub was killed and started again", async (t) => {
      const { alice, bob } = await together(t, "Ark");
      await alice.say("one");
      await alice.say("**two**");
      await alice.say("three");
      await bob.sees("three");
      await bob.reacts("🎉", "one");
      await bob.does("reply", "one");
      await bob.say("a reply");
      await alice.counts(1, "🎉", "one", false);
      await alice.does("delete", "three");
      await alice.visible("dialog-submit").click();
      await alice.does("edit", "two");
      await alice.hook("composer").fill("_two_, changed");
      await alice.hook("composer").press("Enter");
      for (const person of [alice, bob]) {
        await person.sees("two, changed");
        await person.sees("Message deleted");
        await person.sees("a reply");
      }
      const before = [await alice.view(), await bob.view()];
      assert.equal(before[0].length, 4);

      tell(`kill -9 of ${world.first.name}`);
      await world.first.kill();
      await alice.isCutOff();
      await world.first.start();
      for (const person of [alice, bob]) await person.isConnected();
      assert.deepEqual([await alice.view(), await bob.view()], before, "on the pages that stayed");

      await bob.reacts("👀", "one");
      await bob.reaction("👀", "one").click();
      await bob.reaction("👀", "one").waitFor({ state: "detached" });
      for (const person of [alice, bob]) {
        await person.reload();
        await person.sees("a reply");
      }
      assert.deepEqual([await alice.view(), await bob.view()], before, "and on those loaded anew");
    });

    test("a change while cut off is refused, and what was typed stays", async (t) => {
      const { alice, bob } = await together(t, "Island");
      await alice.say("as it was");
      await bob.sees("as it was");
      await alice.does("edit", "as it was");
      await alice.hook("composer").fill("as it should be");
      tell(`kill -9 of ${world.first.name}`);
      await world.first.kill();
      await alice.isCutOff();
      await alice.hook("composer").press("Enter");
      const refusal = alice.page.locator(".notice", { hasText: "Not connected" });
      await refusal.first().waitFor();
      assert.equal(await alice.hook("composer").inputValue(), "as it should be");
      await alice.line("as it was").locator(".bubble").hover();
      await alice.line("as it was").getByTestId("line-react").click();
      await alice.page.locator('.palette [data-emoji="👍"]').click();
      await refusal.nth(1).waitFor();

      await world.first.start();
      for (const person of [alice, bob]) {
        await person.isConnected();
        await person.sees("as it was");
        assert.equal(await person.page.locator(".reaction").count(), 0, "nothing was queued");
      }
      await alice.reload();
      assert.equal(await alice.hook("composer").inputValue(), "as it should be");
      await alice.hook("composer").press("Enter");
      await bob.sees("as it should be");
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

      alice.tell("presses long on her line, and reacts");
      const bubble = await alice.line("from my pocket").locator(".body").boundingBox();
      const touch = await alice.context.newCDPSession(alice.page);
      const point = { x: bubble.x + bubble.width / 2, y: bubble.y + bubble.height / 2 };
      await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
      await alice.hook("action-reply").waitFor();
      await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
      await alice.page.locator('.menu [data-emoji="😂"]').tap();
      await bob.counts(1, "😂", "from my pocket", false);
      alice.tell("uses the button beside it, and replies");
      await alice.line("from my pocket").getByTestId("line-more").tap();
      await alice.hook("action-reply").tap();
      await alice.say("to myself");
      await bob.line("to myself").getByTestId("quote").waitFor();

      await alice.showMembers();
      await alice.member(bob).waitFor();
      const width = await alice.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `nothing sticks out to the side (${width} px)`);
    });

    if (everything)
      searchStories({ world: () => world, together, someone: (t) => cast(t, browser) });

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
        const rich = `**Look** @${alice.username}: \`code\`, https://example.org\n\n\`\`\`\na block\n\`\`\``;
        await bob.enter("Open to all");
        await bob.does("reply", "hello");
        await bob.say(rich);
        await bob.say("gone");
        await bob.does("delete", "gone");
        await bob.visible("dialog-submit").click();
        await alice.sees("Message deleted");
        await alice.reacts("🎉", "hello");
        await alice.counts(1, "🎉", "hello", true);
        await audit(alice, "what can become of lines");
        await alice.does("edit", "hello");
        await alice.hook("composer").pressSequentially(" @");
        await alice.hook("mention-list").locator("[role=option]").first().waitFor();
        await audit(alice, "editing, with a mention begun");
        for (let times = 0; times < 2; times += 1) await alice.hook("composer").press("Escape");
        await alice.line("hello").locator(".bubble").hover();
        await alice.line("hello").getByTestId("line-more").click();
        await audit(alice, "the menu of a line");
        await alice.hook("react-more").click();
        await audit(alice, "the palette");
        await alice.page.keyboard.press("Escape");
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

    if (everything) readingStories(() => ({ world, browser, together }));
    if (everything) accountStories(() => ({ world, browser }));
  });
}
