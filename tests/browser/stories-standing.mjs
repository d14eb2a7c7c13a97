// What an admin does about people, and what they see of it: muting, banning, handing over, and the
// record of who did what.

import assert from "node:assert/strict";
import { test } from "node:test";

import { audit } from "./chromium.mjs";
import { until } from "./hub.mjs";

/** `together(t, group)` brings Alice and Bob into a group; `stage()` has the world and the browser. */
export function standingStories(together, stage) {
  const choose = async (person, whom, what) => {
    await person.showMembers();
    await person.member(whom).getByTestId("member-menu").click();
    await person.hook(`member-${what}`).click();
  };
  const muteIs = (person, shown) =>
    person.hook("muted").waitFor({ state: shown ? "visible" : "hidden" });

  test("bob is muted, reads and reacts, and writes again when it is over", async (t) => {
    const { alice, bob } = await together(t, "Quiet pond");
    await bob.say("me, me, me");
    await alice.sees("me, me, me");

    t.diagnostic("alice opens bob's menu and mutes him for 10 minutes");
    await alice.showMembers();
    await alice.member(bob).getByTestId("member-menu").click();
    await audit(alice, "the menu of a member");
    await alice.hook("member-mute-10").click();
    await alice.member(bob).getByTestId("muted-mark").waitFor();
    t.diagnostic(`alice sees: ${await alice.member(bob).getByTestId("muted-mark").innerText()}`);

    await muteIs(bob, true);
    t.diagnostic(`bob sees: ${await bob.hook("muted").innerText()}`);
    assert.match(await bob.hook("muted").innerText(), /^You are muted until .*\d\d:\d\d/);
    assert.ok(await bob.hook("composer").isDisabled(), "the box rests");
    await audit(bob, "a conversation in which one is muted");
    await alice.say("shh");
    await bob.sees("shh");
    await bob.reacts("👍", "shh");
    await alice.counts(1, "👍", "shh", false);
    t.diagnostic("bob reads and reacts meanwhile");

    await bob.reload();
    await muteIs(bob, true);
    t.diagnostic("bob is muted after loading the page anew");

    await choose(alice, bob, "unmute");
    await muteIs(bob, false);
    await alice.member(bob).getByTestId("muted-mark").waitFor({ state: "detached" });
    await bob.say("thank you");
    await alice.sees("thank you");
    t.diagnostic("alice lifts the mute, and bob writes at once");

    await choose(alice, bob, "mute-60");
    await muteIs(bob, true);
    await bob.page.clock.install();
    await bob.reload();
    await muteIs(bob, true);
    await bob.page.clock.fastForward("01:00:02");
    await muteIs(bob, false);
    assert.ok(await bob.hook("composer").isEnabled());
    t.diagnostic("an hour later by bob's clock the box is back without an event");
    // By the hub's clock it is not over, and the hub has the last word.
    await bob.say("is it over?");
    await bob.hook("messages").locator(".failed", { hasText: "You are muted" }).waitFor();
    t.diagnostic("the hub's clock has the last word: the line is not sent, and says why");
  });

  test("bob is made an admin and an ordinary member again, and is banned and let back in", async (t) => {
    const { alice, bob } = await together(t, "Ringing hut");
    await choose(alice, bob, "promote");
    await alice.member(bob).locator(".role", { hasText: "Admin" }).waitFor();
    await bob.page.locator("[data-room-settings]").waitFor();
    t.diagnostic("bob is an admin: his page has the settings of the group");
    await choose(alice, bob, "demote");
    await bob.page.locator("[data-room-settings]").waitFor({ state: "hidden" });

    await choose(alice, bob, "ban");
    await alice.visible("dialog-submit").click();
    await alice.member(bob).waitFor({ state: "detached" });
    await bob.listed("Ringing hut").waitFor({ state: "detached" });
    t.diagnostic("alice bans bob, and the group goes from his list");

    await alice.page.locator("[data-room-settings]").click();
    await alice.hook("settings-bans").click();
    await alice.hook("bans").locator(`[data-user-id="${bob.id}"]`).waitFor();
    await audit(alice, "the list of the banned");
    await alice.hook("unban").click();
    await bob.listed("Ringing hut").waitFor();
    t.diagnostic("alice lets bob back in, and it is on his list again");
  });

  test("alice hands over and leaves", async (t) => {
    const { alice, bob, people } = await together(t, "Old boathouse");
    const carol = await people.member("carol", stage().world.first);
    await alice.invite(carol);
    await alice.hook("leave").click();
    const heirs = alice.hook("heirs");
    await heirs.waitFor();
    await audit(alice, "the dialog to hand over");
    await heirs.getByText("Carol", { exact: true }).click();
    t.diagnostic("alice is asked who takes over, picks carol, and leaves");
    await alice.visible("dialog-submit").click();
    await alice.listed("Old boathouse").waitFor({ state: "detached" });

    await carol.enter("Old boathouse");
    await carol.showMembers();
    await carol.member(carol).locator(".role", { hasText: "Admin" }).waitFor();
    await carol.member(alice).waitFor({ state: "detached" });
    await bob.showMembers();
    await bob.member(carol).locator(".role", { hasText: "Admin" }).waitFor();
    t.diagnostic("carol and bob both see that carol is the admin now");
  });

  test("a hub admin runs a public group without being in it", async (t) => {
    const { alice, bob, room, people } = await together(t, "Market");
    const hub = stage().world.first;
    await hub.call("PATCH", `/rooms/${room}`, {
      token: alice.token,
      body: { visibility: "public" },
    });
    const keeper = await people.member("keeper", stage().world.last);
    const look = async () => {
      await keeper.page.goto(`${keeper.hub.url}/#${room}`);
      await keeper.page.reload();
      await keeper.visible("join").waitFor();
    };
    await look();
    assert.ok(await keeper.hook("outside-settings").isHidden(), "like everyone else");
    await hub.command("user", "promote", keeper.username);
    await look();
    await keeper.hook("outside-settings").click();
    await keeper.visible("dialog-name").fill("Fair market");
    await keeper.visible("dialog-submit").click();
    await bob.isIn("Fair market");
    await keeper.page.getByRole("heading", { name: "Fair market" }).waitFor();
    t.diagnostic("a hub admin renames a public group from outside; bob sees it at once");

    await keeper.hook("outside-settings").click();
    await keeper.hook("settings-audit").click();
    const newest = keeper.hook("audit").locator(".deed-text").first();
    assert.equal(
      await newest.innerText(),
      "You renamed the group to “Fair market”, as a hub admin",
    );
    await audit(keeper, "who did what, from outside");

    await hub.command("user", "demote", keeper.username);
    await look();
    assert.ok(await keeper.hook("outside-settings").isHidden());
    t.diagnostic("who is demoted is like everyone else again");
  });

  test("the record says in sentences who did what, older ones on scrolling", async (t) => {
    const { alice, bob, room } = await together(t, "Log book");
    const hub = stage().world.first;
    const change = (body) => hub.call("PATCH", `/rooms/${room}`, { token: alice.token, body });
    for (let number = 1; number <= 60; number += 1) await change({ topic: `Topic ${number}` });
    await change({ name: "Log book II" });
    await choose(alice, bob, "mute-1440");
    await alice.member(bob).getByTestId("muted-mark").waitFor();
    await choose(alice, bob, "unmute");
    await alice.member(bob).getByTestId("muted-mark").waitFor({ state: "detached" });

    await alice.hook("open-audit").click();
    const deeds = alice.hook("audit").locator(".deed-text");
    await until("the newest are there", 10_000, async () => (await deeds.count()) >= 50);
    const newest = (await deeds.allInnerTexts()).slice(0, 4);
    t.diagnostic(`alice reads: ${newest.join(" · ")}`);
    assert.equal(newest[0], "You lifted the mute of Bob");
    assert.match(newest[1], /^You muted Bob for 1 day, until .*\d\d:\d\d$/);
    assert.equal(newest[2], "You renamed the group to “Log book II”");
    assert.equal(newest[3], "You set the topic to “Topic 60”");
    await audit(alice, "who did what");

    await alice.page.locator(".deeds-end").scrollIntoViewIfNeeded();
    await until("the oldest is there", 10_000, async () => {
      await alice.page.locator(".deeds-end").scrollIntoViewIfNeeded();
      return (await deeds.last().innerText()).startsWith("You made the group “Log book”");
    });
    t.diagnostic(`after scrolling there are ${await deeds.count()}, down to the first`);
    assert.equal(await deeds.count(), 64);
    await bob.showMembers();
    assert.ok(await bob.hook("open-audit").isHidden(), "it is for admins");
  });
}
