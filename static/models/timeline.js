// What was said in one room, as far as it was loaded: an unbroken run of messages, ordered by
// position, each id once. Mostly it ends with the newest; after going to an old message it may not,
// and then grows at both ends. Pages come from history, the rest from events; whichever comes first,
// the result is the same.

import { path } from "../lib/api.js";
import { Emitter } from "../lib/emitter.js";
import { compare, isLater, latest } from "../lib/position.js";

const PAGE = 50;
const MOST = 1_000; // lines held while the newest are being watched; past it the oldest are let go
const KEPT = 400;
const QUOTE = 200; // characters of a message that a reply shows
const CHANGES = new Set(["message", "edited", "deleted", "reaction"]);

export class Timeline extends Emitter {
  #api;
  #me;
  #byId = new Map();
  #upTo = "0"; // every event up to here is known, from a page or from itself
  #since = null; // events that came while a page is under way, which may not know them yet
  #load = 0;
  messages = [];
  state = "empty"; // "loading" | "ready" | "failed"
  hasOlder = false;
  hasNewer = false;
  loadingOlder = false;
  loadingNewer = false;
  olderFailed = false;
  newerFailed = false;

  constructor(room, { api, me }) {
    super();
    this.room = room;
    this.#api = api;
    this.#me = me;
  }

  get newest() {
    return this.messages.at(-1);
  }

  /** Whether there is something by others, this message or after it. */
  hasOthersFrom({ position }) {
    const byOthers = ({ sender, deleted }) => sender.id !== this.#me && !deleted;
    return (
      this.hasNewer ||
      this.messages.some((message) => byOthers(message) && !isLater(position, message.position))
    );
  }

  find(id) {
    return this.#byId.get(id);
  }

  /** Loads the newest page; what was held before and does not join on to it is forgotten. */
  async load() {
    const load = this.#begin();
    this.state = "loading";
    this.olderFailed = this.newerFailed = false;
    this.emit("change");
    try {
      const page = await this.#page({});
      if (load !== this.#load) return;
      const floor = page.messages[0]?.position;
      if (page.has_older && floor) this.#forgetBefore(floor);
      Object.assign(this, { hasOlder: page.has_older, hasNewer: false, state: "ready" });
      // The newest page knows everything that happened before its last message.
      const upTo = page.messages.at(-1)?.position;
      this.#upTo = latest(this.#upTo, upTo);
      this.#take(page, upTo);
    } catch (problem) {
      if (load !== this.#load) return;
      this.state = "failed";
      this.problem = problem;
    }
    this.emit("change");
  }

  async loadOlder() {
    if (this.state !== "ready" || !this.hasOlder || this.loadingOlder) return;
    const load = this.#begin();
    this.loadingOlder = true;
    this.olderFailed = false;
    this.emit("change");
    try {
      const page = await this.#page({ before: this.messages[0]?.position });
      if (load !== this.#load) return;
      this.hasOlder = page.has_older;
      this.#take(page);
    } catch {
      if (load !== this.#load) return;
      this.olderFailed = true;
    }
    this.loadingOlder = false;
    this.emit("change");
  }

  async loadNewer() {
    if (this.state !== "ready" || !this.hasNewer || this.loadingNewer || this.loadingOlder) return;
    const load = this.#begin();
    this.loadingNewer = true;
    this.newerFailed = false;
    try {
      const page = await this.#page({ after: this.newest?.position });
      if (load !== this.#load) return;
      this.hasNewer = page.has_newer;
      this.#take(page);
    } catch {
      if (load !== this.#load) return;
      this.newerFailed = true;
    }
    this.loadingNewer = false;
    this.emit("change");
  }

  /**
   * Goes to where this message was said, unless it is held already; a newest page that is under way
   * is not waited for. Rejects with a `Problem`, and then shows what it would have shown.
   */
  async seek(id) {
    if (this.#byId.has(id)) return;
    const wasReady = this.state === "ready";
    const load = this.#begin();
    try {
      const { message } = await this.#api.get(path`/messages/${id}`);
      await this.#seek(message.position, load);
    } catch (problem) {
      if (load === this.#load && !wasReady) this.load();
      throw problem;
    }
  }

  /** Goes to what was said around this position. Rejects with a `Problem`. */
  async seekTo(position) {
    if (this.state === "ready" && !this.reaches(position))
      await this.#seek(position, this.#begin());
  }

  /** Whether the lines held go back to what was said after this position. */
  reaches(position) {
    return !this.hasOlder || compare(this.messages[0]?.position, position) <= 0;
  }

  async #seek(position, load) {
    const page = await this.#page({ around: position });
    if (load !== this.#load) return;
    this.state = "ready";
    this.messages = [];
    this.#byId.clear();
    this.olderFailed = this.newerFailed = false;
    Object.assign(this, { hasOlder: page.has_older, hasNewer: page.has_newer });
    this.#take(page);
    this.emit("change");
  }

  /** Applies an event of this room; one that is known already changes nothing. */
  apply(event) {
    if (!CHANGES.has(event.type) || !isLater(event.position, this.#upTo)) return;
    this.#upTo = event.position;
    this.#since?.push(event);
    this.#change(event);
    this.emit("change");
  }

  /** Somebody is called otherwise: so are those who said what is held. */
  rename({ id, username, display_name }) {
    const sender = { id, username, display_name };
    let changed = false;
    for (const message of this.messages) {
      const [said, quoted] = [message.sender.id === id, message.quote?.sender.id === id];
      if (!said && !quoted) continue;
      const quote = quoted ? { ...message.quote, sender } : message.quote;
      this.#replace(message, { ...message, sender: said ? sender : message.sender, quote });
      changed = true;
    }
    if (changed) this.emit("change");
  }

  /** A message from the answer to a `send`. */
  add(message) {
    this.#say(message);
    this.emit("change");
  }

  /** Lets go of the oldest lines, once there are many. Only while nobody looks at them. */
  trim() {
    if (this.messages.length <= MOST || this.loadingOlder || this.hasNewer) return;
    this.#forgetBefore(this.messages.at(-KEPT).position);
    this.hasOlder = true;
    this.emit("change");
  }

  /** One page at a time: what another one brings is not waited for any more. */
  #begin() {
    this.loadingOlder = this.loadingNewer = false;
    this.#since = [];
    return ++this.#load;
  }

  #page(which) {
    return this.#api.get(path`/rooms/${this.room}/messages`, { ...which, limit: PAGE });
  }

  /** Takes a page in, which knows everything up to `upTo` and maybe more. */
  #take({ messages }, upTo = "0") {
    for (const message of messages) this.#put(message);
    for (const event of this.#since ?? []) if (isLater(event.position, upTo)) this.#change(event);
    this.#since = null;
  }

  #change({ type, message, ...event }) {
    if (type === "message") this.#say(message);
    else if (type === "reaction") this.#react(message, event);
    else this.#rewrite(message);
  }

  /** A message that is new; of one that is held, its page or later events know more. */
  #say(message) {
    const known = this.#byId.get(message.id);
    if (!known && !this.hasNewer) this.#insert(message);
    else if (known && message.client_id && !known.client_id)
      this.#replace(known, { ...known, client_id: message.client_id });
  }

  /** An edited message, or what is left of a deleted one; with it goes whatever quotes it. */
  #rewrite(message) {
    const quote = quoteOf(message);
    for (const reply of this.messages)
      if (reply.reply_to === message.id) this.#replace(reply, { ...reply, quote });
    if (this.#byId.has(message.id)) this.#put(message);
  }

  #react(id, { emoji, user_id, on, count }) {
    const known = this.#byId.get(id);
    if (!known || known.deleted) return;
    const before = known.reactions ?? [];
    const mine = user_id === this.#me ? on : before.some((r) => r.emoji === emoji && r.mine);
    const now = { emoji, count, mine };
    const at = before.findIndex((reaction) => reaction.emoji === emoji);
    const reactions = at < 0 ? [...before, now] : before.with(at, now);
    this.#replace(known, { ...known, reactions: reactions.filter((r) => r.count > 0) });
  }

  #put(message) {
    const known = this.#byId.get(message.id);
    if (!known) this.#insert(message);
    else if (!known.deleted || message.deleted) this.#replace(known, message);
  }

  #insert(message) {
    this.#byId.set(message.id, message);
    let index = this.messages.length;
    while (index > 0 && isLater(this.messages[index - 1].position, message.position)) index--;
    this.messages.splice(index, 0, message);
  }

  /** Always a new object, by which whoever draws it knows that it has changed. */
  #replace(known, message) {
    const next = { ...message, client_id: message.client_id ?? known.client_id };
    this.#byId.set(next.id, next);
    this.messages[this.messages.indexOf(known)] = next;
  }

  #forgetBefore(position) {
    this.messages = this.messages.filter((message) => compare(message.position, position) >= 0);
    this.#byId = new Map(this.messages.map((message) => [message.id, message]));
  }
}

/** What a reply shows of this message, as the server has it in `quote`. */
export function quoteOf({ id, sender, body, deleted }) {
  return deleted
    ? { id, sender, deleted }
    : { id, sender, body: [...body].slice(0, QUOTE).join("") };
}
