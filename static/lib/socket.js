// The live half of the server: one socket for all rooms. It says hello, pairs answers with commands
// by `ref`, notices a connection that has died silently, and comes back by itself unless the server
// said not to. It knows nothing about rooms; what to resume from is asked of whoever made it.

import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";

const QUIET_MS = 25_000; // after this long without a frame, ask whether anyone is there
const ANSWER_MS = 10_000; // a hello or a ping that takes longer means a dead connection
const COMMAND_MS = 30_000; // any other command: its outcome is then unknown
const STEADY_MS = 5_000; // a connection that lived this long was a good one: start backing off anew
const FLOODED_MS = 3_000; // after 4429, wait at least this long
const LOGGED_OUT = 4501;
/** Why it ended: the one who is logged in now is not the one whom the page is for. */
export const SOMEBODY_ELSE = "somebody else";

/** A command that was refused (`unknown` false: surely not done) or whose outcome is unknown. */
export class CommandError extends Error {
  constructor({ code, detail = "", temporary = false, unknown = false, retry_after = 0 }) {
    super(detail || code);
    this.name = "CommandError";
    this.code = code;
    this.detail = detail || "The server refused this.";
    this.temporary = temporary;
    this.retryAfter = retry_after; // seconds
    this.unknown = unknown || code === "outcome_unknown";
  }
}

/**
 * Emits `state` ("connecting" | "open" | "waiting" | "ended"), `open` with hello's answer before
 * any event that follows it, `event` for each event, and `ended` with the close code or
 * `SOMEBODY_ELSE`.
 */
export class Socket extends Emitter {
  #url;
  #resumeFrom;
  #isMe;
  #isLoggedIn;
  #isAway;
  #backoff = new Backoff();
  #socket = null;
  #waiting = new Map(); // ref → { resolve, reject, timer }
  #nextRef = 1;
  #openedAt = 0;
  #notBefore = 0; // the server has asked to be left alone until then
  #lastFrameAt = 0;
  #timers = { retry: 0, watch: 0, answer: 0 };
  state = "waiting";

  /**
   * `resumeFrom()` gives hello's `rooms`, or nothing; `isMe(user)` says whether hello's answer is to
   * whom the page is for, since for anybody else nothing may be said; `isLoggedIn()` resolves to false
   * after a logout; `isAway()` says whether nobody is at the page, so that coming back by itself is no sign of life.
   */
  constructor({ url, resumeFrom, isMe, isLoggedIn, isAway = () => false }) {
    super();
    this.#url = url;
    this.#resumeFrom = resumeFrom;
    this.#isMe = isMe;
    this.#isLoggedIn = isLoggedIn;
    this.#isAway = isAway;
    addEventListener("online", () => this.hurry());
    addEventListener("offline", () => this.#lost(1006));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.hurry();
      this.#watch();
    });
  }

  start() {
    this.#connect();
  }

  /** Stops waiting and tries at once, unless the server is full. */
  hurry() {
    if (this.state !== "waiting" || Date.now() < this.#notBefore) return;
    clearTimeout(this.#timers.retry);
    this.#connect();
  }

  /** Sends a command; resolves with its `ok`, rejects with a `CommandError`. */
  command(type, fields = {}) {
    if (this.state !== "open") {
      const error = { code: "not_connected", detail: "Not connected.", temporary: true };
      return Promise.reject(new CommandError(error));
    }
    return this.#ask(type, fields);
  }

  #connect() {
    this.#become("connecting");
    const socket = new WebSocket(this.#url, "rookery.v1");
    this.#socket = socket;
    this.#openedAt = 0;
    this.#expectAnswer();
    socket.onopen = () => this.#hello(socket);
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (close) => this.#lost(close.code);
  }

  async #hello(socket) {
    this.#expectAnswer();
    const rooms = this.#resumeFrom();
    const answered = (answer) => {
      // Run inside the frame's own turn: no event may overtake hello's answer.
      clearTimeout(this.#timers.answer);
      if (!this.#isMe(answer.user)) return this.#end(SOMEBODY_ELSE);
      this.#openedAt = Date.now();
      this.#become("open");
      this.emit("open", answer);
      this.#watch();
    };
    try {
      const fields = { ...(rooms && { rooms }), ...(this.#isAway() && { away: true }) };
      await this.#ask("hello", fields, answered);
    } catch (error) {
      if (socket !== this.#socket) return;
      this.#lost(error.code === "not_logged_in" ? LOGGED_OUT : 1006, error.retryAfter);
    }
  }

  #ask(type, fields, answered = null) {
    const ref = this.#nextRef++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(ref);
        reject(new CommandError({ code: "outcome_unknown", temporary: true }));
      }, COMMAND_MS);
      this.#waiting.set(ref, { resolve, reject, timer, answered });
      this.#socket.send(JSON.stringify({ type, ref, ...fields }));
    });
  }

  #receive(data) {
    this.#lastFrameAt = Date.now();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // Not ours to understand; a newer server may know more than we do.
    }
    if (frame.type !== "ok" && frame.type !== "error") return this.emit("event", frame);
    const command = this.#waiting.get(frame.ref);
    if (!command) return;
    this.#waiting.delete(frame.ref);
    clearTimeout(command.timer);
    if (frame.type === "error") return command.reject(new CommandError(frame));
    command.answered?.(frame);
    command.resolve(frame);
  }

  /** The browser answers the server's pings unseen, so ask ourselves when it has been quiet. */
  #watch() {
    clearTimeout(this.#timers.watch);
    if (this.state !== "open") return;
    const quietFor = Date.now() - this.#lastFrameAt;
    if (quietFor < QUIET_MS) {
      this.#timers.watch = setTimeout(() => this.#watch(), QUIET_MS - quietFor);
      return;
    }
    this.#expectAnswer();
    this.#ask("ping", {}, () => {
      clearTimeout(this.#timers.answer);
      this.#watch();
    }).catch(() => {});
  }

  #expectAnswer() {
    clearTimeout(this.#timers.answer);
    this.#timers.answer = setTimeout(() => this.#lost(1006), ANSWER_MS);
  }

  /** The connection is over, whether the server closed it or we gave it up. */
  async #lost(code, retryAfter = 0) {
    if (!this.#socket) return;
    this.#letGo();
    if (code >= 4500 && code <= 4599) return this.#end(code);
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY_MS) this.#backoff.reset();
    const delay = retryAfter
      ? this.#backoff.later(retryAfter)
      : this.#backoff.next(code === 4429 ? FLOODED_MS : 0);
    this.#notBefore = retryAfter ? Date.now() + delay : 0;
    this.#timers.retry = setTimeout(() => this.#connect(), delay);
    this.#become("waiting");

    // A handshake refused with 401 looks like any failed one from here, so ask over HTTP.
    if (!this.#openedAt && !(await this.#isLoggedIn())) this.#end(LOGGED_OUT);
  }

  /** Drops the socket without waiting for its close; what was asked on it is now unknown. */
  #letGo() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    clearTimeout(this.#timers.watch);
    clearTimeout(this.#timers.answer);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new CommandError({ code: "connection_lost", temporary: true, unknown: true }));
    }
    this.#waiting.clear();
  }

  #end(code) {
    clearTimeout(this.#timers.retry);
    this.#letGo();
    this.#become("ended");
    this.emit("ended", code);
  }

  #become(state) {
    this.state = state;
    this.emit("state", state);
  }
}
