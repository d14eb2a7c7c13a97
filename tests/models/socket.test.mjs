// The socket of the page, with a server that turns it away or takes it for somebody else.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { SOMEBODY_ELSE, Socket } from "../../static/lib/socket.js";

let sockets;

beforeEach((t) => {
  sockets = [];
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.mock.method(Math, "random", () => 0);
  globalThis.WebSocket = FakeSocket;
  globalThis.addEventListener = () => {};
  globalThis.document = { addEventListener() {}, hidden: false };
});

test("who is sent away comes back when the server said, and not before", async (t) => {
  const socket = page();
  await said(sockets[0], { type: "error", code: "unavailable", temporary: true, retry_after: 7 });
  assert.equal(socket.state, "waiting");
  t.mock.timers.tick(6_900);
  socket.hurry();
  assert.equal(sockets.length, 1, "not even when somebody looks at the page");
  t.mock.timers.tick(100);
  assert.equal(sockets.length, 2);
  await said(sockets[1], { type: "ok", user: { id: "2" }, rooms: [] });
  assert.equal(socket.state, "open");
});

test("to whom somebody else is logged in says nothing, and hears nothing", async () => {
  const socket = page();
  const told = [];
  for (const event of ["open", "event", "ended"]) socket.on(event, (what) => told.push(what));
  await said(sockets[0], { type: "ok", user: { id: "3" }, rooms: [] });
  await assert.rejects(socket.command("send", { body: "as another" }), { code: "not_connected" });
  assert.deepEqual(told, [SOMEBODY_ELSE]);
  assert.deepEqual(
    sockets.map(({ sent }) => sent),
    [["hello"]],
  );
});

function page() {
  const isMe = ({ id }) => id === "2";
  const settings = { url: "ws://hub", resumeFrom: () => null, isMe, isLoggedIn: async () => true };
  const socket = new Socket(settings);
  socket.start();
  return socket;
}

/** The server opens this socket and answers its hello. */
async function said(socket, answer) {
  socket.onopen();
  socket.onmessage({ data: JSON.stringify({ ...answer, ref: socket.ref }) });
  for (let turns = 0; turns < 5; turns++) await null;
}

class FakeSocket {
  sent = [];

  constructor() {
    sockets.push(this);
  }

  send(text) {
    const { type, ref } = JSON.parse(text);
    this.sent.push(type);
    this.ref = ref;
  }

  close() {}
}
