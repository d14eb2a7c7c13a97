// The browser itself, and the check of its page for what would keep somebody out.

import assert from "node:assert/strict";

import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Fails on whatever axe calls serious or critical in what the person has before them. */
export async function audit(person, place) {
  person.tell(`has ${place} checked`);
  const before = person.complaints.length;
  const { violations } = await new AxeBuilder({ page: person.page }).analyze();
  // To look behind things axe sets inline styles, which the page's policy refuses, as it should.
  person.complaints.length = before;
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  assert.deepEqual(
    grave.map(({ id, nodes }) => [
      id,
      ...nodes.map(({ html, any }) => `${html} ${any[0]?.message}`),
    ]),
    [],
    place,
  );
}
