// Makes docs/screenshot.png from a hub of its own: `node tests/browser/screenshot.mjs`.

import { mkdir } from "node:fs/promises";
import path from "node:path";

import { launch } from "./chromium.mjs";
import { embedded, until } from "./hub.mjs";

const file = path.resolve(import.meta.dirname, "../../docs/screenshot.png");

const CAST = {
  maya: "Maya Lindqvist",
  jonas: "Jonas Weber",
  amara: "Amara Okafor",
  teo: "Teo Ruiz",
};

const WALK = [
  ["jonas", "Good morning! Is the Saturday walk still on?"],
  ["maya", "It is. We meet at the old boathouse at seven, before the light gets hard."],
  ["amara", "I will bring the telescope and two pairs of binoculars."],
  ["jonas", "And I bring coffee. How many are we?"],
  ["teo", "Five so far, six if my sister wakes up in time 😄"],
  [
    "maya",
    "The grebes have started to build by the northern reed bed. Please keep to the path there.",
  ],
  [
    "amara",
    "There were two herons on the island yesterday evening, and a kingfisher for about one second.",
  ],
  ["teo", "One second of kingfisher is a good day."],
  ["maya", "Then see you all on Saturday. Bring something warm, the mist stays until nine."],
];

const OTHERS = [
  ["Ringing station", ["teo", "The nets are dry again, we can start on Monday."]],
  ["Photo of the month", ["jonas", "Mine is in. Be kind."]],
  ["Allotment", ["amara", "Who has the key to the shed?"]],
];

const world = await embedded();
const browser = await launch();
try {
  const { first: hub } = world;
  const people = {};
  for (const [username, display_name] of Object.entries(CAST)) {
    people[username] = await hub.call("POST", "/users", {
      body: { username, display_name, password: "a heron stood in the reeds" },
    });
  }
  const others = (name) =>
    Object.keys(CAST).flatMap((key) => (key === name ? [] : [people[key].user.id]));
  const post = (room, [name, body]) =>
    hub.call("POST", `/rooms/${room}/messages`, { token: people[name].token, body: { body } });
  const make = async (body) =>
    (await hub.call("POST", "/rooms", { token: people.maya.token, body })).room.id;

  for (const [name, line] of OTHERS)
    await post(await make({ kind: "group", name, members: others("maya") }), line);
  const direct = await make({ kind: "direct", members: [people.amara.user.id] });
  await post(direct, ["amara", "Could you lend me your field guide until Sunday?"]);
  const walk = await make({ kind: "group", name: "Saturday walk", members: others("maya") });
  await hub.call("PATCH", `/rooms/${walk}`, {
    token: people.maya.token,
    body: { topic: "Early mornings around the lake" },
  });
  for (const line of WALK) await post(walk, line);

  // Two of the others are there as well, so that the dots have something to say.
  for (const name of ["amara", "jonas", "maya"]) {
    const context = await browser.newContext({
      locale: "en-GB",
      viewport: { width: 1280, height: 800 },
      deviceScaleFactor: 2,
      colorScheme: "light",
    });
    const page = await context.newPage();
    await page.goto(`${hub.url}/login#${walk}`);
    await page.fill('input[name="username"]', name);
    await page.fill('input[name="password"]', "a heron stood in the reeds");
    await page.click("button[type=submit]");
    await page.getByText(WALK.at(-1)[1]).first().waitFor();
    await page.getByTestId("banner").waitFor({ state: "hidden" });
    if (name !== "maya") continue;

    const members = page.getByTestId("members");
    if (!(await members.isVisible())) await page.getByTestId("members-toggle").click();
    await until("three are online", 10_000, async () => {
      return (await members.locator('[data-user-id][data-status="online"]').count()) === 3;
    });
    await mkdir(path.dirname(file), { recursive: true });
    await page.screenshot({ path: file, animations: "disabled" });
    console.log("docs/screenshot.png is made");
  }
} finally {
  await browser.close();
  await world.end();
}
