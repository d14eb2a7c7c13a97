// Lines whose answers never come: the page hears nothing, is loaded anew, opened twice, and its hub is
// killed with kill -9 right after it has taken a line. Each line is said once, in order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./hub.mjs";
import { tell } from "./person.mjs";

/** `together(t, group)` brings Alice and Bob into a group; `stage()` has the world. */
export function outboxStories(together, stage) {
  test("lines whose answers are lost with the hub are said once", async (t) => {
    const { alice, bob, room } = await together(t, "Ferry");
    const { world } = stage();
    const history = async () => {
      const path = `/rooms/${room}/messages`;
      const { messages } = await world.last.call("GET", path, { token: bob.token });
      return messages.map(({ body }) => body);
    };
    const lines = ["cast off", "mind the current", "half way", "there is the other bank"];

    const ear = await deafen(alice.page);
    await alice.reload();
    alice.tell("hears no answer from now on");
    ear.deaf = true;
    for (const line of lines) await alice.say(line);
    await until("the hub has the first line", 10_000, async () => (await history()).length === 1);
    assert.equal(await alice.pending(lines[0]).count(), 1, "she cannot know that it was said");

    tell(`kill -9 of ${world.first.name}, which has taken the first line and told nobody`);
    await world.first.kill();
    await alice.isCutOff();
    tell(`${world.first.name} starts again; alice still hears no answer`);
    await world.first.start();
    await until("she has sent it again", 30_000, () => ear.sent[lines[0]] > 1);

    alice.tell("loads the page anew while the answer is on its way");
    ear.sent = {};
    await alice.reload();
    await until("the new page sends it, too", 30_000, () => ear.sent[lines[0]] > 0);

    alice.tell("opens the same tab once more, with the lines that wait in it");
    const twin = await duplicate(alice);
    const twinEar = await deafen(twin);
    twinEar.deaf = true;
    await twin.goto(alice.page.url());
    await until("the second tab sends it, too", 30_000, () => twinEar.sent[lines[0]] > 0);
    tell(`kill -9 of ${world.first.name}, again`);
    await world.first.kill();
    ear.deaf = false;
    twinEar.deaf = false;
    await world.first.start();

    for (const line of lines) {
      await alice.sees(line, 30_000);
      await bob.sees(line, 30_000);
    }
    const said = await history();
    tell(`the history: ${JSON.stringify(said)}`);
    assert.deepEqual(said, lines, "each once, and in order");
    await until("nothing waits in the second tab", 30_000, async () => {
      return (await twin.locator(".pending").count()) === 0;
    });
    await alice.reload();
    for (const line of lines) await alice.sees(line, 30_000);
    assert.deepEqual(await alice.bodies(), lines);
    assert.deepEqual(await history(), lines, "nor does any page say it once more");
    await twin.close();
  });
}

/** Between the page and its hub: while it is deaf, what it says goes out and no answer comes back. */
async function deafen(page) {
  const ear = { deaf: false, sent: {} };
  await page.routeWebSocket(/\/api\/v1\/socket$/, (socket) => {
    const hub = socket.connectToServer();
    socket.onMessage((text) => {
      const { type, body } = JSON.parse(text);
      if (type === "send") ear.sent[body] = (ear.sent[body] ?? 0) + 1;
      hub.send(text);
    });
    hub.onMessage((text) => {
      const frame = JSON.parse(text);
      const tells = frame.type === "message" || (frame.type === "ok" && frame.message);
      if (!(ear.deaf && tells)) socket.send(text);
    });
  });
  return ear;
}

/** Another tab with a copy of this one's storage, as browsers make it. */
async function duplicate({ page, context }) {
  const kept = await page.evaluate(() => Object.entries({ ...sessionStorage }));
  const twin = await context.newPage();
  await twin.addInitScript((entries) => {
    if (sessionStorage.getItem("copied")) return;
    sessionStorage.setItem("copied", "yes");
    for (const [key, value] of entries) sessionStorage.setItem(key, value);
  }, kept);
  return twin;
}
