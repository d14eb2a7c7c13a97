// What I have read and what I have marked as unread. A room that I mark as unread while it is open
// is held: looking at it is not reading it, until I leave it, say that I have read it, or write in it.

import { ReadMarkers } from "./read-markers.js";
import { versionOf } from "./markers.js";

export class Reading {
  #rooms;
  #command;
  #markers;
  #held = null;

  /** `command(type, fields)` is the socket's. */
  constructor(rooms, command) {
    this.#rooms = rooms;
    this.#command = command;
    this.#markers = new ReadMarkers((room, { read_position: position, read_version }) =>
      command("read", { room, position, read_version }),
    );
  }

  /** Read up to `position`; told to the server, which never goes back. */
  read(room, position) {
    const marker = { read_position: position, read_version: versionOf(this.#rooms.get(room)) };
    if (this.#rooms.markRead(room, marker)) this.#markers.move(room, marker);
  }

  /** All of a room is read, also if it is held. */
  readAll(room) {
    this.release(room);
    const known = this.#rooms.get(room);
    if (known?.unread > 0) this.read(room, known.position);
  }

  /** The message at `position` in the open room, and all after it, are unread again. */
  async markUnread(room, position) {
    this.hold(room);
    this.#markers.forget(room); // the marker is set back to before that anyway
    try {
      await this.#command("unread", { room, position });
    } catch (error) {
      this.release(room);
      throw error;
    }
  }

  hold(room) {
    this.#held = room;
  }

  release(room) {
    if (this.#held === room) this.#held = null;
  }

  /** This room is open now (null: none). */
  opened(room) {
    if (room !== this.#held) this.#held = null;
  }

  isHeld(room) {
    return this.#held !== null && this.#held === room;
  }

  /** What the server was not told yet counts as read all the same. */
  overlay() {
    for (const [room, marker] of this.#markers.unsaid()) this.#rooms.markRead(room, marker);
  }

  /** Connected again. */
  resume() {
    this.#markers.resume();
  }

  forget(room) {
    this.#markers.forget(room);
    this.release(room);
  }
}
