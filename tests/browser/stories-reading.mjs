// What is unread, here and on one's other devices, and who has read what. Part of `stories.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { audit } from "./chromium.mjs";
import { until } from "./hub.mjs";
import { cast } from "./person.mjs";

const PATIENCE = 15_000;

/** `now()` answers `{ world, browser, together }` once they are there. */
export function readingStories(now) {
  test("bob marks as unread, which holds on all his devices until he comes back", async (t) => {
    const { world, together } = now();
    const { alice, bob, people } = await together(t, "Heronry");
    const tablet = await secondDevice(people, bob, world.first);
    await tablet.enter("Heronry");
    for (const line of ["first", "second", "third"]) await alice.say(line);
    await bob.sees("third");
    await tablet.sees("third");
    await hasBadge(bob, "Heronry", "");

    await bob.does("unread", "second");
    for (const device of [bob, tablet]) {
      await hasBadge(device, "Heronry", "2");
      await marked(device, "second");
      await bar(device, "2 unread messages");
    }
    t.diagnostic("bob marked 'second' as unread: both of his devices count 2, with the mark New");

    // Looking at it is not reading it, and what comes is unread as well.
    await alice.say("fourth");
    await bob.sees("fourth");
    await hasBadge(bob, "Heronry", "3");
    await world.last.kill();
    await bob.isCutOff();
    await world.last.start();
    await bob.isConnected();
    await hasBadge(bob, "Heronry", "3");
    await marked(bob, "second");
    t.diagnostic("the hub was killed and came back: still 3 are unread, and the mark is there");

    bob.tell("goes elsewhere and comes back");
    await bob.makeGroup("Elsewhere");
    await hasBadge(bob, "Heronry", "3");
    await bob.enter("Heronry");
    await hasBadge(bob, "Heronry", "");
    await hasBadge(tablet, "Heronry", "");
    t.diagnostic("he came back to it: it is read on both devices");

    await tablet.does("unread", "third");
    await bar(tablet, "2 unread messages");
    tablet.tell("presses “Mark read”");
    await tablet.hook("mark-read").click();
    for (const device of [bob, tablet]) await hasBadge(device, "Heronry", "");
    await tablet.hook("unread-bar").waitFor({ state: "hidden" });
    t.diagnostic("marked again and pressed 'Mark read': nothing is unread on either");
  });

  test("bob reads on his tablet what he marked as unread, and nothing of it is left", async (t) => {
    const { world, together } = now();
    const { alice, bob, people } = await together(t, "Mudflat");
    const tablet = await secondDevice(people, bob, world.first);
    await alice.say("ebb");
    await alice.say(`@${bob.username} flow`);
    await bob.sees(`@${bob.username} flow`);
    const height = async (text) => (await bob.line(text).locator(".body").boundingBox()).height;
    assert.equal(
      await height(`@${bob.username} flow`),
      await height("ebb"),
      "a call is in its line",
    );

    await bob.does("unread", "ebb");
    await bar(bob, "2 unread messages");
    await tablet.enter("Mudflat");
    await hasBadge(bob, "Mudflat", "");
    await bob.hook("unread-bar").waitFor({ state: "hidden" });
    await alice.say("slack water");
    await bob.sees("slack water");
    await hasBadge(bob, "Mudflat", "");
    t.diagnostic("read on the tablet: no bar is left at the other, and what comes there is read");
  });

  test("lines that come during a press do not take its click away", async (t) => {
    const { together } = now();
    const { alice, bob } = await together(t, "Sandbank");
    await alice.say("hold this");
    await alice.sees("hold this");
    await seen(alice, "hold this", ["Bob"]); // which moves the line
    await alice.line("hold this").locator(".bubble").hover();
    await alice.line("hold this").getByTestId("line-more").hover();
    await alice.page.mouse.down();
    await bob.say("one of the tide");
    await bob.say("two of the tide");
    const preview = alice.listed("Sandbank").locator(".room-preview");
    await preview.filter({ hasText: "two of the tide" }).waitFor();
    await alice.page.mouse.up();
    await alice.hook("action-delete").waitFor();
    await alice.sees("two of the tide");
    await alice.page.keyboard.press("Escape");
    await bob.say("after the tide");
    await alice.sees("after the tide");
    t.diagnostic(
      "she pressed, two lines came, she let go: the menu opened and the lines were there",
    );
  });

  test("the list of members takes the focus from nobody who writes", async (t) => {
    const { together } = now();
    const { alice, bob } = await together(t, "Osier bed");
    await alice.showMembers();
    await alice.seesStatus(bob, "online");
    await alice.hook("composer").pressSequentially("still ");
    await bob.leave();
    await alice.seesStatus(bob, "offline");
    await alice.page.keyboard.type("writing");
    assert.equal(await alice.hook("composer").inputValue(), "still writing");

    await alice.member(bob).getByTestId("member-menu").focus();
    await bob.comeBack();
    await alice.seesStatus(bob, "online");
    const kept = await alice.page.evaluate(() => document.activeElement.ariaLabel);
    assert.equal(kept, "What to do with Bob");
    t.diagnostic("bob went and came: she wrote on, and his menu's button kept the focus");
  });

  test("the focus outlives the line whose menu was open, and the room itself", async (t) => {
    const { together } = now();
    const { alice, bob } = await together(t, "Reedbed");
    await alice.say("gone soon");
    await bob.line("gone soon").locator(".bubble").hover();
    await bob.line("gone soon").getByTestId("line-more").click();
    await alice.does("delete", "gone soon");
    await alice.visible("dialog-submit").click();
    await bob.sees("Message deleted");
    await bob.page.keyboard.press("Escape");
    assert.ok(await bob.page.evaluate(() => document.activeElement !== document.body));

    await alice.say("still here");
    await bob.sees("still here");
    await bob.line("still here").locator(".bubble").hover();
    await bob.line("still here").getByTestId("line-more").click();
    await bob.page.locator(".popup").waitFor();
    const room = await bob.room();
    await alice.hub.call("DELETE", `/rooms/${room}/members/${bob.id}`, { token: alice.token });
    await bob.listed("Reedbed").waitFor({ state: "detached" });
    await bob.page.locator(".popup").waitFor({ state: "detached" });
    assert.ok(await bob.page.evaluate(() => document.activeElement !== document.body));
    t.diagnostic("his line and then his room went while its menu was open: the focus was kept");
  });

  test("mentions are counted apart, as texts are changed and deleted", async (t) => {
    const { world, browser } = now();
    const people = cast(t, browser);
    const alice = await people.member("alice", world.first);
    const bob = await people.member("bob", world.last);
    await alice.makeGroup("Callers", [bob]);
    await bob.listed("Callers").waitFor();

    const calling = (text) => `@${bob.username}: ${text}`;
    await alice.say("one");
    await alice.say(calling("two"));
    await alice.sees(calling("two"));
    await hasBadge(bob, "Callers", "2", "@1");
    assert.match(await bob.page.title(), /^\(2\) /);
    await alice.say("@all: three");
    await hasBadge(bob, "Callers", "3", "@2");
    t.diagnostic("alice called bob by name and with @all: his badges say @2 and 3");

    await rewrites(alice, "one", calling("one"));
    await hasBadge(bob, "Callers", "3", "@3");
    await rewrites(alice, calling("two"), "two");
    await hasBadge(bob, "Callers", "3", "@2");
    t.diagnostic("she wrote him into one text and out of another: @3, then @2");

    await deletes(alice, "@all: three");
    await hasBadge(bob, "Callers", "2", "@1");
    await bob.reload();
    await hasBadge(bob, "Callers", "2", "@1");
    await deletes(alice, calling("one"));
    await hasBadge(bob, "Callers", "1");
    t.diagnostic(
      "she deleted what called him: 1 is unread and none calls him, also after a reload",
    );

    bob.tell("is away while more is said");
    await bob.leave();
    await alice.say(calling("four"));
    await alice.sees(calling("four"));
    await bob.comeBack();
    await hasBadge(bob, "Callers", "2", "@1");
    bob.tell("presses Shift+Escape: everything is read");
    await bob.page.keyboard.press("Shift+Escape");
    await hasBadge(bob, "Callers", "");
    await until("the title counts nothing", PATIENCE, async () => {
      return !(await bob.page.title()).startsWith("(");
    });
    await bob.hook("mark-all-read").waitFor({ state: "hidden" });
    t.diagnostic("back again he counted @1 and 2; Shift+Escape marked everything as read");
  });

  test("bob finds the first unread of many, and the newest again", async (t) => {
    const { world, together } = now();
    const { alice, bob, room } = await together(t, "Long day");
    await alice.say("what bob has read");
    await bob.sees("what bob has read");
    await bob.makeGroup("Elsewhere");
    await bob.leave();
    for (let number = 1; number <= 130; number++)
      await world.first.call("POST", `/rooms/${room}/messages`, {
        token: alice.token,
        body: { body: `line ${number}` },
      });
    await bob.comeBack();
    await hasBadge(bob, "Long day", "99+");
    assert.match(await bob.page.title(), /^\(99\+\) /);
    await bob.enter("Long day");
    await bob.sees("line 130");
    await bar(bob, "99+ new messages");
    assert.equal(await bob.hook("messages").locator(".unread-mark").count(), 0, "not loaded yet");
    await hasBadge(bob, "Long day", "");

    bob.tell("goes to the first unread message");
    await bob.hook("to-unread").click();
    await bob.line("line 1").waitFor();
    await marked(bob, "line 1");
    await inSight(bob, "line 1");
    await bob.hook("unread-bar").waitFor({ state: "hidden" });
    const newest = bob.page.locator("[data-to-newest]");
    assert.match(await newest.innerText(), /99\+ new messages/);
    await alice.say("one more");
    await alice.sees("one more");
    t.diagnostic("of 130 new lines bob went to the first, which was not loaded, and saw the mark");

    bob.tell("goes to the newest");
    await newest.click();
    await bob.sees("one more");
    await inSight(bob, "one more");
    await newest.waitFor({ state: "hidden" });
    await hasBadge(bob, "Long day", "");

    // A few that fit on the page need no way to them; Escape takes the mark away.
    bob.tell("opens it with one new line, and presses Escape");
    await bob.enter("Elsewhere");
    await alice.say("the last one");
    await hasBadge(bob, "Long day", "1");
    await bob.enter("Long day");
    await marked(bob, "the last one");
    await bob.hook("unread-bar").waitFor({ state: "hidden" });
    await bob.page.keyboard.press("Escape");
    await bob.hook("messages").locator(".unread-mark").waitFor({ state: "hidden" });
    t.diagnostic("he went to the newest again; Escape took the mark New away");
  });

  test("alice sees that bob has read, and who in a group has", async (t) => {
    const { world, browser } = now();
    const people = cast(t, browser);
    const alice = await people.member("alice", world.first);
    const bob = await people.member("bob", world.last);
    const carol = await people.member("carol", world.last);

    await alice.talkTo(bob);
    await alice.say("are you there?");
    await alice.sees("are you there?");
    assert.equal(await alice.hook("seen").count(), 0, "bob has not looked");
    await bob.enter("Alice");
    await bob.sees("are you there?");
    await seen(alice, "are you there?", ["Bob"]);
    await bob.say("I am");
    await alice.sees("I am");
    await alice.hook("seen").waitFor({ state: "detached" });
    await seen(bob, "I am", ["Alice"]);
    t.diagnostic("alice saw 'Seen' under her line as bob read it, and bob under his answer");

    await alice.makeGroup("Roost", [bob, carol]);
    await alice.say("who is here?");
    await bob.enter("Roost");
    await carol.enter("Roost");
    await seen(alice, "who is here?", ["Bob", "Carol"]);
    t.diagnostic("in the group she saw both of them, by their pictures");

    bob.tell("switches read receipts off in his account");
    await bob.hook("account").click();
    await bob.visible("receipts-switch").uncheck();
    await bob.hook("seen").waitFor({ state: "detached" });
    await audit(bob, "the account, with the switch");
    await bob.page.keyboard.press("Escape");
    await alice.say("and now?");
    await bob.sees("and now?");
    await carol.sees("and now?");
    await seenByTwo(alice, { "and now?": ["Carol"], "who is here?": ["Bob"] });
    t.diagnostic("bob switched receipts off: alice hears of carol alone, and he of nobody");

    bob.tell("switches them on again");
    await bob.hook("account").click();
    await bob.visible("receipts-switch").check();
    await bob.page.keyboard.press("Escape");
    await alice.say("and again?");
    await bob.sees("and again?");
    await carol.sees("and again?");
    await seen(alice, "and again?", ["Bob", "Carol"]);
    await seen(bob, "and again?", ["Carol"]);
    t.diagnostic("switched on again, both are told at once");
    for (const scheme of ["light", "dark"]) {
      await alice.page.emulateMedia({ colorScheme: scheme });
      await until("the colours have changed", PATIENCE, () =>
        alice.page.evaluate(() =>
          document.getAnimations().every((animation) => animation.playState === "finished"),
        ),
      );
      await audit(alice, `who has read, in the ${scheme}`);
    }
  });
}

/** The same person at one more browser. */
async function secondDevice(people, person, hub) {
  const other = people.stranger("tablet", hub);
  Object.assign(other, { username: person.username, id: person.id, token: person.token });
  other.cookies = await person.context.storageState();
  await other.comeBack();
  return other;
}

/** What the badges of a room in the list say: how many are unread, and how many call me. */
async function hasBadge(person, room, unread, mentions = "") {
  const item = person.listed(room);
  const read = async (name) => (await item.locator(name).allTextContents()).join("");
  let said;
  await until(
    `${person.display}'s badges of “${room}” say ${JSON.stringify([unread, mentions])}, and not`,
    PATIENCE,
    async () => {
      said = [await read(".badge"), await read(".mention-badge")];
      return said[0] === unread && said[1] === mentions;
    },
  ).catch((error) => {
    throw new Error(`${error.message} ${JSON.stringify(said)}`);
  });
  person.tell(`has ${unread || "no"} unread${mentions && `, ${mentions}`} in "${room}"`);
}

/** The mark "New" stands right before this line. */
async function marked(person, text) {
  await person.hook("messages").locator(".unread-mark").waitFor();
  await until(`“New” stands before ${text}`, PATIENCE, () =>
    person
      .line(text)
      .evaluate((line) => line.previousElementSibling?.classList.contains("unread-mark")),
  );
  person.tell(`sees "New" before ${JSON.stringify(text)}`);
}

async function bar(person, text) {
  await person.hook("unread-bar").filter({ hasText: text }).waitFor();
  person.tell(`reads "${text}" above the lines`);
}

async function inSight(person, text) {
  await until(`${text} is in sight`, PATIENCE, () =>
    person.line(text).evaluate((line) => {
      const frame = line.closest("[data-testid=messages]").getBoundingClientRect();
      const box = line.getBoundingClientRect();
      return box.top >= frame.top && box.bottom <= frame.bottom;
    }),
  );
}

async function rewrites(person, before, after) {
  await person.does("edit", before);
  await person.hook("composer").fill(after);
  await person.hook("composer").press("Enter");
  await person.sees(after);
}

async function deletes(person, text) {
  await person.does("delete", text);
  await person.visible("dialog-submit").click();
  await person.line(text).waitFor({ state: "detached" });
}

/** Under each of these lines its own people are shown. */
async function seenByTwo(person, expected) {
  await until(`seen: ${JSON.stringify(expected)}`, PATIENCE, async () => {
    for (const [text, names] of Object.entries(expected)) {
      const mark = person.line(text).locator("xpath=following-sibling::*[1][@data-testid='seen']");
      if ((await mark.count()) !== 1) return false;
      if ((await mark.getAttribute("title")) !== `Seen by ${names.join(", ")}`) return false;
    }
    return true;
  });
  person.tell(`sees who has read what: ${JSON.stringify(expected)}`);
}

/** Under this line, and there alone, these people are shown. */
async function seen(person, text, names) {
  await until(`${names} have seen ${text}`, PATIENCE, async () => {
    const mark = person.hook("seen");
    if ((await mark.count()) !== 1) return false;
    const title = await mark.getAttribute("title");
    const line = person.line(text).locator("xpath=following-sibling::*[1]");
    return (
      names.every((name) => title.includes(name)) &&
      title.split(", ").length === names.length &&
      (await line.getAttribute("data-testid")) === "seen"
    );
  });
  person.tell(`sees that ${names.join(" and ")} read ${JSON.stringify(text)}`);
}
