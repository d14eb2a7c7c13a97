// Stories of one's own account: what others see of it, the password, the logins, and its end.

import assert from "node:assert/strict";
import { test } from "node:test";

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
}

async function openAccount(person) {
  person.tell("opens the account dialog");
  await person.hook("account").click();
  await person.visible("account-name").waitFor();
}
