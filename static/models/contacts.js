// Everyone on this hub: the directory page by page, and those who are here now. How present each one
// is, the presence model knows; it also tells of people whom no page has named yet, such as somebody
// who signed up a moment ago.

import { Emitter } from "../lib/emitter.js";

const PAGE = 50;
const HERE_MOST = 100; // people who are here that are listed by name; of more, the number is told
const REFRESHED = 500; // people of the directory that a refresh asks for again

/** Emits `change`. */
export class Contacts extends Emitter {
  #api;
  #presence;
  #me;
  #load = 0;
  #here = []; // who was here when last asked
  #listed = []; // the directory as far as it was loaded, or what was found
  #next = null; // where its next page begins
  #askingHere = false;
  query = "";
  state = "empty"; // "loading" | "ready" | "failed"
  loadingMore = false;
  moreFailed = false;

  constructor({ api, presence, me }) {
    super();
    this.#api = api;
    this.#presence = presence;
    this.#me = me;
  }

  get hasMore() {
    return this.#next !== null;
  }

  /** Those who are here, online before away; empty in a search, where all stand in one list. */
  here() {
    if (this.query) return [];
    const known = new Map([...this.#listed, ...this.#here].map((user) => [user.id, user]));
    const here = [...known.values()].filter((user) => this.#isHere(user) && user.id !== this.#me);
    return here.sort((a, b) => this.#away(a) - this.#away(b) || byName(a, b)).slice(0, HERE_MOST);
  }

  /** How many are here, and not only those known by name. */
  hereCount() {
    return this.#presence.present().filter((id) => id !== this.#me).length;
  }

  /** The others, or whoever was found, in the directory's order. */
  others() {
    return this.#listed.filter(
      (user) => user.id !== this.#me && (this.query || !this.#isHere(user)),
    );
  }

  /** Loads the first page of whoever fits (everyone if it is empty). */
  async search(query) {
    const load = ++this.#load;
    this.query = query;
    this.state = "loading";
    this.loadingMore = this.moreFailed = false;
    this.emit("change");
    await this.#take(load, async () => {
      const [page] = await Promise.all([this.#page(null), this.#askHere(load)]);
      if (load === this.#load) [this.#listed, this.#next] = [page.users, page.next ?? null];
    });
  }

  /** Loads the next page. */
  async more() {
    if (this.state !== "ready" || !this.hasMore || this.loadingMore) return;
    const load = this.#load;
    this.loadingMore = true;
    this.moreFailed = false;
    this.emit("change");
    try {
      const page = await this.#page(this.#next);
      if (load !== this.#load) return;
      this.#listed = merged(this.#listed, page.users);
      this.#next = page.next ?? null;
    } catch {
      if (load !== this.#load) return;
      this.moreFailed = true;
    }
    this.loadingMore = false;
    this.emit("change");
  }

  /** Asks again for what is loaded, for who came new or has another name. */
  async refresh() {
    if (this.state === "failed") return this.search(this.query);
    if (this.state !== "ready" || this.loadingMore) return;
    const load = this.#load;
    const wanted = Math.min(Math.max(this.#listed.length, PAGE), REFRESHED);
    try {
      const fresh = await this.#pages(wanted);
      await this.#askHere(load);
      if (load !== this.#load || this.loadingMore) return;
      // Whoever was loaded behind the pages that were asked for again stays.
      const again = new Set(fresh.users.map(({ id }) => id));
      const end = this.#listed.findLastIndex(({ id }) => again.has(id));
      const behind = fresh.next === null ? [] : this.#listed.slice(end + 1);
      if (behind.length === 0) this.#next = fresh.next;
      this.#listed = [...fresh.users, ...behind];
      this.emit("change");
    } catch {
      // What is shown stays; the next refresh is soon enough.
    }
  }

  /** Presence has changed: if it names people whom no list has, asks who they are. */
  async learn() {
    if (this.state !== "ready" || this.query || this.#askingHere) return;
    const known = new Set([...this.#listed, ...this.#here].map(({ id }) => id));
    const strangers = this.#presence.present().filter((id) => id !== this.#me && !known.has(id));
    if (strangers.length === 0 || this.#here.length >= HERE_MOST) return;
    const load = this.#load;
    await this.#askHere(load).catch(() => {});
    if (load === this.#load) this.emit("change");
  }

  async #take(load, ask) {
    try {
      await ask();
      if (load === this.#load) this.state = "ready";
    } catch (problem) {
      if (load !== this.#load) return;
      this.state = "failed";
      this.problem = problem;
    }
    if (load === this.#load) this.emit("change");
  }

  async #askHere(load) {
    if (this.query) return;
    this.#askingHere = true;
    try {
      const { users } = await this.#api.get("/users", { status: "online,away", limit: HERE_MOST });
      this.#presence.learn(users);
      if (load === this.#load) this.#here = users;
    } finally {
      this.#askingHere = false;
    }
  }

  async #page(after) {
    const page = await this.#api.get("/users", {
      query: this.query,
      limit: PAGE,
      after: after ?? undefined,
    });
    this.#presence.learn(page.users);
    return page;
  }

  async #pages(count) {
    let users = [];
    let next = null;
    do {
      const page = await this.#page(next);
      users = merged(users, page.users);
      next = page.next ?? null;
    } while (next !== null && users.length < count);
    return { users, next };
  }

  #isHere(user) {
    return this.#presence.statusOf(user.id) !== "offline";
  }

  #away(user) {
    return this.#presence.statusOf(user.id) === "away" ? 1 : 0;
  }
}

function byName(a, b) {
  return a.display_name.localeCompare(b.display_name);
}

/** A page behind others: whoever came in between may be on both. */
function merged(users, page) {
  const known = new Set(users.map(({ id }) => id));
  return [...users, ...page.filter(({ id }) => !known.has(id))];
}
