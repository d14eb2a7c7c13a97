// When a client comes back: spread out, later each time, and never before the server wants it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../static/lib/backoff.js";

test("the limit doubles up to half a minute, and any time below it is as likely", () => {
  const longest = new Backoff(() => 1);
  const limits = Array.from({ length: 8 }, () => longest.next());
  assert.deepEqual(limits, [600, 1200, 2400, 4800, 9600, 19200, 30000, 30000]);
  assert.equal(new Backoff(() => 0).next(), 0);
  assert.equal(new Backoff(() => 0.5).next(), 300);
  longest.reset();
  assert.equal(longest.next(), 600);
});

test("a server that is full is left alone for as long as it says, and a little more", () => {
  assert.equal(new Backoff(() => 0).later(7), 7_000);
  const unlucky = new Backoff(() => 1);
  assert.equal(unlucky.later(7), 8_000);
  for (let tries = 0; tries < 5; tries++) unlucky.later(7);
  assert.equal(unlucky.later(7), 37_000, "sent away again and again, it comes back more rarely");
});
