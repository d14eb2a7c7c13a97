// Someone at a browser of their own: what they do and what they see, by the page's stable hooks.

import assert from "node:assert/strict";
import path from "node:path";

import { top, until } from "./hub.mjs";

export const PASSWORD = "a heron stood in the reeds";
const PATIENCE = 15_000;

// Each story has people of its own, so that none sees what another left behind.
let count = 0;

/** Makes people for one test: they print what they do, and leave when the test ends. */
export function cast(t, browser) {
  const people = [];
  t.after(async () => {
    if (t.error) for (const person of people) await person.photograph();
    for (const person of people) await person.leave();
    for (const person of people)
      assert.deepEqual(person.complaints, [], `${person.display} saw errors`);
  });
  return {
    /** Someone who is not known to the hub yet. */
    stranger(name, hub, look) {
      count += 1;
      const person = new Person(
        `${name}_${process.pid}_${count}`,
        capital(name),
        browser,
        hub,
        look,
      );
      people.push(person);
      return person;
    },

    /** The same person at a browser of another device, where they are not logged in. */
    again(person) {
      const other = new Person(person.username, person.display, browser, person.hub);
      Object.assign(other, { id: person.id });
      people.push(other);
      return other;
    },

    /** Someone who has an account, is logged in, and sees the chat. */
    async member(name, hub, look) {
      const person = this.stranger(name, hub, look);
      await person.join();
      await person.open();
      return person;
    },
  };
}

export function tell(text) {
  console.log(`    ${text}`);
}

class Person {
  constructor(username, display, browser, hub, look = {}) {
    Object.assign(this, { username, display, browser, hub, look, complaints: [] });
  }

  tell(text) {
    tell(`${this.display} ${text}`);
  }

  // Coming and going.

  /** Opens a browser window, without loading a page. */
  async arrive() {
    this.context = await this.browser.newContext({
      viewport: { width: 1360, height: 800 },
      locale: "en-GB",
      ...this.look,
      storageState: this.cookies,
    });
    this.context.setDefaultTimeout(PATIENCE);
    this.page = await this.context.newPage();
    this.page.on("pageerror", (error) => this.complaints.push(String(error)));
    this.page.on("console", (message) => {
      if (message.type() === "error" && !isNetwork(message.text()))
        this.complaints.push(message.text());
    });
    this.page.on("dialog", (dialog) => {
      if (dialog.type() !== "confirm") this.complaints.push(`a dialog opened: ${dialog.message()}`);
      return dialog.accept();
    });
  }

  /** Gets an account by the API, and the cookie that comes with it. */
  async join() {
    await this.arrive();
    const answer = await this.context.request.post(`${this.hub.url}/api/v1/users`, {
      data: { username: this.username, password: PASSWORD, display_name: this.display },
      headers: { origin: this.hub.url },
    });
    assert.equal(answer.status(), 201, await answer.text());
    const { user, token } = await answer.json();
    Object.assign(this, { id: user.id, token });
  }

  async open() {
    await this.page.goto(this.hub.url);
    await this.isConnected();
  }

  async isConnected() {
    await this.hook("banner").waitFor({ state: "hidden", timeout: 30_000 });
  }

  async isCutOff() {
    await this.hook("banner").waitFor({ state: "visible" });
  }

  async reload() {
    this.tell("reloads the page");
    await this.page.reload();
    await this.isConnected();
  }

  /** Closes the browser window; the login stays in `cookies` for when they come back. */
  async leave() {
    if (!this.context) return;
    this.cookies = await this.context.storageState();
    await this.context.close();
    this.context = null;
  }

  /** What the page looked like when the test failed. */
  async photograph() {
    if (!this.context) return;
    const file = path.join(top, ".services", "browser", `${this.username}.png`);
    await this.page.screenshot({ path: file, timeout: 5_000 }).catch(() => {});
    this.tell(`was left here: ${path.relative(top, file)}, ${this.page.url()}`);
  }

  async comeBack() {
    await this.arrive();
    await this.open();
  }

  async signUp() {
    this.tell("signs up");
    await this.page.goto(`${this.hub.url}/signup`);
    await this.page.fill('input[name="username"]', this.username);
    await this.page.fill('input[name="display_name"]', this.display);
    await this.page.fill('input[name="password"]', PASSWORD);
    await this.page.click("button[type=submit]");
    await this.seesTheChat();
  }

  async logIn(password = PASSWORD) {
    if (!new URL(this.page.url()).pathname.startsWith("/login"))
      await this.page.goto(`${this.hub.url}/login`);
    await this.page.fill('input[name="username"]', this.username);
    await this.page.fill('input[name="password"]', password);
    await this.page.click("button[type=submit]");
  }

  async logOut() {
    this.tell("logs out");
    await this.hook("logout").click();
    await this.page.waitForURL("**/login*");
  }

  async seesTheChat() {
    await this.hook("room-list").waitFor({ state: "attached" });
    await this.isConnected();
  }

  // Rooms.

  async makeGroup(name, people = []) {
    this.tell(`makes the group "${name}"${people.length ? ` with ${names(people)}` : ""}`);
    await this.hook("new-group").click();
    await this.visible("dialog-name").fill(name);
    for (const person of people) await this.pick(person);
    await this.visible("dialog-submit").click();
    await this.isIn(name);
    return this.room();
  }

  async invite(person) {
    this.tell(`invites ${person.display}`);
    await this.showMembers();
    await this.hook("invite").click();
    await this.pick(person);
    await this.visible("dialog-submit").click();
    await this.member(person).waitFor();
  }

  async talkTo(person) {
    this.tell(`begins a conversation with ${person.display}`);
    await this.hook("new-direct").click();
    await this.pick(person);
    // Picking somebody may be all that is asked for.
    const submit = this.visible("dialog-submit");
    await until("the conversation opens", PATIENCE, async () => {
      if (await submit.isEnabled({ timeout: 100 }).catch(() => false))
        await submit.click().catch(() => {});
      return (await this.title()) === person.display;
    });
    return this.room();
  }

  async pick(person) {
    await this.visible("dialog-people").fill(person.username);
    await this.page.locator(`[data-person-id="${person.id}"]:visible`).first().click();
  }

  async enter(name) {
    this.tell(`opens "${name}"`);
    await this.listed(name).click();
    await this.isIn(name);
  }

  async isIn(name) {
    await until(
      `${this.display} is in "${name}"`,
      PATIENCE,
      async () => (await this.title()) === name,
    );
  }

  async title() {
    const title = this.hook("room-title");
    return (await title.isVisible()) ? (await title.textContent()).trim() : null;
  }

  /** The id of the room that is open. */
  async room() {
    await until(
      "the address names the room",
      PATIENCE,
      () => new URL(this.page.url()).hash.length > 1,
    );
    return decodeURIComponent(new URL(this.page.url()).hash.slice(1));
  }

  listed(name) {
    return this.hook("room-list").locator("[data-room-id]", { hasText: name });
  }

  // Lines.

  async say(text) {
    this.tell(`writes ${JSON.stringify(text)}`);
    await this.hook("composer").fill(text);
    await this.hook("composer").press("Enter");
  }

  /** Waits for the line to be there, exactly once and not as one of those still to be sent. */
  async sees(text, patience = PATIENCE) {
    const line = this.lines().filter({
      has: this.page.locator(".body", { hasText: exactly(text) }),
    });
    await until(`${this.display} sees ${JSON.stringify(text)} once`, patience, async () => {
      return (await line.count()) === 1 && (await this.pending(text).count()) === 0;
    });
    this.tell(`sees ${JSON.stringify(text)}`);
  }

  /** From here on what this page sends is lost on the way, until it is loaded anew. */
  async speaksIntoTheWind() {
    await this.page.evaluate(() => {
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (frame) {
        if (JSON.parse(frame).type !== "send") send.call(this, frame);
      };
    });
  }

  lines() {
    return this.hook("messages").locator("[data-message-id], .pending, .failed");
  }

  /** The one line that says this. */
  line(text) {
    const body = this.page.locator(".body", { hasText: exactly(text) });
    return this.hook("messages").locator("[data-message-id]").filter({ has: body });
  }

  /** Does something with a line through its menu: "reply", "edit", "copy" or "delete". */
  async does(action, text) {
    this.tell(`opens the menu of ${JSON.stringify(text)}: ${action}`);
    await this.#presses("line-more", text);
    await this.hook(`action-${action}`).click();
  }

  /** Presses a button that a line shows while the pointer is on it. */
  async #presses(button, text) {
    const line = this.line(text);
    for (let tries = 1; ; tries += 1) {
      await line.locator(".bubble").hover();
      try {
        return await line.getByTestId(button).click({ timeout: 3_000 });
      } catch (error) {
        // What comes in meanwhile, as a receipt does, moves the line away from under the pointer.
        if (tries === 5) throw error;
      }
    }
  }

  async reacts(emoji, text) {
    this.tell(`reacts with ${emoji} to ${JSON.stringify(text)}`);
    await this.#presses("line-react", text);
    await this.page.locator(`.palette [data-emoji="${emoji}"]`).click();
  }

  reaction(emoji, text) {
    return this.line(text).locator(`.reaction[data-emoji="${emoji}"]`);
  }

  /** Waits for this many of an emoji, mine among them or not. */
  async counts(count, emoji, text, mine) {
    await this.reaction(emoji, text)
      .and(this.page.locator(`[aria-pressed="${mine}"]`))
      .filter({ hasText: new RegExp(`${count}$`) })
      .waitFor();
    this.tell(`sees ${count} ${emoji} at ${JSON.stringify(text)}`);
  }

  /** All there is to see of the lines: quotes, texts, marks and reactions, from top to bottom. */
  async view() {
    return this.lines().evaluateAll((lines) =>
      lines.map((line) => ({
        deleted: line.classList.contains("deleted"),
        quote: line.querySelector(".quote")?.textContent ?? null,
        html: line.querySelector(".body").innerHTML,
        edited: line.querySelector(".edited")?.title ?? null,
        reactions: [...line.querySelectorAll(".reaction")].map((chip) =>
          [chip.dataset.emoji, chip.textContent, chip.getAttribute("aria-pressed")].join(" "),
        ),
      })),
    );
  }

  pending(text) {
    return this.hook("messages").locator(".pending", { hasText: text });
  }

  /** What the conversation shows, from top to bottom. */
  async bodies() {
    return (await this.hook("messages").locator(".body").allTextContents()).map((text) =>
      text.trim(),
    );
  }

  // People.

  async showMembers() {
    if (!(await this.hook("members").isVisible())) await this.hook("members-toggle").click();
    await this.hook("members").waitFor();
  }

  member(person) {
    return this.hook("members").locator(`[data-user-id="${person.id}"]`);
  }

  /** Waits until the dot beside somebody says so, and tells how long that took. */
  async seesStatus(person, status, patience = PATIENCE) {
    const start = Date.now();
    await this.hook("members")
      .locator(`[data-user-id="${person.id}"][data-status="${status}"]`)
      .waitFor({ timeout: patience });
    this.tell(`sees ${person.display} ${status} after ${Date.now() - start} ms`);
  }

  hook(name) {
    return this.page.getByTestId(name);
  }

  /** For what is in dialogs, of which only one is open. */
  visible(name) {
    return this.page.locator(`[data-testid="${name}"]:visible`).first();
  }
}

function exactly(text) {
  return new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*$`);
}

// A browser reports each request that got no answer, or a refusal; the stories provoke both.
function isNetwork(text) {
  return /^Failed to load resource|^WebSocket connection to/.test(text);
}

function names(people) {
  return people.map((person) => person.display).join(" and ");
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}
