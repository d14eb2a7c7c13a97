// Stories of one's own account: what others see of it, the password, the logins, and its end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import { audit } from "./chromium.mjs";
import { PASSWORD, cast } from "./person.mjs";

/** `at()` has the hubs and the browser, which are there once the tests begin. */
export function accountStories(at) {
  test("alice changes her name and her password in the account dialog", async (t) => {
    const { world, browser } = at();
    const people = cast(t, browser);
    const alice = await people.member("alice", world.first);
    await openAccount(alice);
    await audit(alice, "the account dialog");
    alice.tell("calls herself Alice Liddell");
    await alice.visible("account-name").fill("  ");
    await alice.visible("dialog-submit").click();
    await alice.page.locator(".dialog-problem:not(:empty)").waitFor();
    await alice.visible("account-name").fill("Alice Liddell");
    await alice.visible("dialog-submit").click();
    await alice.page.locator(".sidebar-me", { hasText: "Alice Liddell" }).waitFor();

    const other = people.again(alice);
    await other.arrive();
    await other.logIn();
    await other.seesTheChat();

    await openAccount(alice);
    await alice.visible("account-password").click();
    const fill = async (current, next, again = next) => {
      await alice.visible("password-current").fill(current);
      await alice.visible("password-new").fill(next);
      await alice.visible("password-again").fill(again);
      await alice.visible("dialog-submit").click();
    };
    const refusal = (text) => alice.page.locator(".dialog-problem", { hasText: text }).waitFor();
    alice.tell("types new passwords that differ, then a wrong current one, and is told so");
    await fill(PASSWORD, "a bittern booms at dusk", "a bittern booms at dawn");
    await refusal("not the same");
    await fill("not her password", "a bittern booms at dusk");
    await refusal("current password is wrong");
    await audit(alice, "the dialog about the password");
    await fill(PASSWORD, "a bittern booms at dusk");
    await alice.page.locator(".notice", { hasText: "Your password is changed" }).waitFor();
    other.tell("is logged out at the other device");
    await other.page.waitForURL("**/login*");
    await other.logIn("a bittern booms at dusk");
    await other.seesTheChat();
    t.diagnostic("a new password logged the other device out, and lets it in again");
    assert.match(await other.page.locator(".sidebar-me").textContent(), /Alice Liddell/);
  });

  test("alice chooses a photo, and bob sees it and her new name at once", async (t) => {
    const { alice, bob } = await together(t, at, "Portraits");
    await alice.say("who am I?");
    await bob.sees("who am I?");
    await bob.showMembers();
    await alice.talkTo(bob);
    await directWith(bob, "Alice").waitFor();
    await openAccount(alice);
    alice.tell("chooses a file that is no picture, and is told so");
    const file = (name, mimeType, buffer) =>
      alice.hook("account-photo-file").setInputFiles({ name, mimeType, buffer });
    await file("notes.png", "image/png", Buffer.from("no picture"));
    await alice.page.locator(".field-error", { hasText: "no picture" }).waitFor();
    alice.tell("chooses a photo of 1600 by 1200 pixels");
    await file("photo.png", "image/png", picture(1600, 1200));
    const start = Date.now();
    await shows(bob.member(alice));
    const waited = Date.now() - start;
    await shows(bob.line("who am I?"));
    await shows(directWith(bob, "Alice"));
    await shows(alice.page.locator(".sidebar-me"));
    await audit(alice, "the account dialog with a photo");
    const source = await bob.member(alice).locator("img").getAttribute("src");
    t.diagnostic(`bob saw the photo after ${waited} ms, at ${source}`);

    await alice.visible("account-name").fill("Alice L.");
    await alice.visible("dialog-submit").click();
    bob.tell("sees her new name in the list, beside her line and among the members");
    await directWith(bob, "Alice L.").waitFor();
    await bob.line("who am I?").locator(".sender", { hasText: "Alice L." }).waitFor();
    await bob.member(alice).filter({ hasText: "Alice L." }).waitFor();

    await bob.reload();
    await shows(bob.line("who am I?"));
    await openAccount(alice);
    alice.tell("takes the photo away again");
    await alice.visible("account-photo-remove").click();
    await bob.line("who am I?").locator(".avatar img").waitFor({ state: "detached" });
    assert.equal(await bob.line("who am I?").locator(".avatar").innerText(), "AL");
  });

  test("alice ends a login of hers in another browser", async (t) => {
    const { world, browser } = at();
    const people = cast(t, browser);
    const alice = await people.member("alice", world.first);
    const other = people.again(alice);
    other.hub = world.last;
    await other.arrive();
    await other.logIn();
    await other.seesTheChat();

    await openAccount(alice);
    await alice.visible("account-logins").click();
    const logins = alice.hook("logins").locator("[data-login-id]");
    await logins.nth(1).waitFor();
    assert.equal(await logins.count(), 2);
    const seen = (await logins.allInnerTexts()).map((text) => text.replace(/\s*\n\s*/g, " · "));
    t.diagnostic(`alice sees: ${seen.join(" | ")}`);
    assert.match(seen[0], /Chrome on Linux.*This device.*In use now.*127\.0\.0\.1/);
    assert.match(seen[1], /Chrome on Linux.*Last used just now/);
    await audit(alice, "the dialog about logins");
    alice.tell("logs the other one out");
    await logins.nth(1).getByTestId("login-end").click();
    await other.page.waitForURL("**/login*");
    await alice.page.getByText("You are logged in nowhere else.").waitFor();
    assert.equal(await logins.count(), 1);
    other.tell("is at the login page");
    await alice.page.keyboard.press("Escape");
    await alice.reload();
  });

  test("alice deletes her account, and bob keeps what she said", async (t) => {
    const { alice, bob, room } = await together(t, at, "Farewell");
    await alice.say("it was a good time");
    await bob.sees("it was a good time");
    await alice.talkTo(bob);
    await alice.say("keep in touch");
    await directWith(bob, "Alice").click();
    await bob.isIn("Alice");
    await bob.sees("keep in touch");

    await openAccount(alice);
    await alice.visible("account-delete").click();
    await audit(alice, "the dialog that deletes the account");
    const tries = async (password) => {
      await alice.visible("delete-password").fill(password);
      await alice.visible("dialog-submit").click();
    };
    await tries("not her password");
    await alice.page.locator(".dialog-problem", { hasText: "password is wrong" }).waitFor();
    await tries(PASSWORD);
    await alice.hook("delete-held").getByText("Farewell").waitFor();
    alice.tell("is told that she is the only admin of Farewell, and makes bob one");
    await alice.hub.call("PUT", `/rooms/${room}/members/${bob.id}`, {
      token: alice.token,
      body: { role: "admin" },
    });
    await tries(PASSWORD);
    await alice.page.waitForURL("**/login*");
    alice.tell("is out, and cannot log in any more");
    await alice.logIn();
    await alice.page.locator(".field-error:not(:empty)").waitFor();

    bob.tell("sees that the account was deleted, and has no box to write in");
    await bob.isIn("Deleted user");
    await bob.hook("composer-closed").waitFor();
    assert.equal(await bob.hook("composer").isVisible(), false);
    await bob.sees("keep in touch");
    await audit(bob, "a conversation with a deleted account");
    await bob.enter("Farewell");
    await bob.line("it was a good time").locator(".sender", { hasText: "Deleted user" }).waitFor();
    assert.equal(await bob.hook("composer").isVisible(), true);
    await bob.showMembers();
    await bob.member(bob).waitFor();
    assert.equal(await bob.member(alice).count(), 0);
    await bob.reload();
    await bob.line("it was a good time").locator(".sender", { hasText: "Deleted user" }).waitFor();
    await directWith(bob, "Deleted user").click();
    await bob.isIn("Deleted user");
    await bob.hook("composer-closed").waitFor();
    const text = await bob.page.locator("body").innerText();
    assert.ok(!text.includes("Alice") && !text.includes(alice.username), text);
    t.diagnostic("bob sees her lines under the name Deleted user, live and loaded anew");
  });
}

/** Alice and Bob in one group, at the first and at the last hub. */
async function together(t, at, group) {
  const { world, browser } = at();
  const people = cast(t, browser);
  const alice = await people.member("alice", world.first);
  const bob = await people.member("bob", world.last);
  const room = await alice.makeGroup(group, [bob]);
  await bob.enter(group);
  return { alice, bob, room };
}

/** The conversation of the two in somebody's list. */
function directWith(person, name) {
  const called = person.page.locator(".room-name").getByText(name, { exact: true });
  return person.hook("room-list").locator("[data-room-id]").filter({ has: called });
}

/** Waits until there is a picture in it that has really been loaded. */
async function shows(place) {
  const image = place.locator(".avatar img");
  await image.waitFor();
  const width = await image.evaluate(async (element) => {
    await element.decode();
    return element.naturalWidth;
  });
  assert.equal(width, 192);
}

/** A PNG with some colours in it. */
function picture(width, height) {
  const row = Buffer.alloc(1 + width * 3);
  const rows = Array.from({ length: height }, (_, y) => {
    for (let x = 0; x < width; x += 1)
      row.set([(x * 255) / width, (y * 255) / height, 140], 1 + x * 3);
    return Buffer.from(row);
  });
  const size = Buffer.alloc(8);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", Buffer.concat([size, Buffer.from([8, 2, 0, 0, 0])])),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

async function openAccount(person) {
  person.tell("opens the account dialog");
  await person.hook("account").click();
  await person.visible("account-name").waitFor();
}
