// What counts as input: whatever a person does to this page, and looking at it again. Scrolling is
// seen by what causes it, since a list also scrolls by itself when a line comes.

const INPUT = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"];

export function watchInput(attention) {
  const options = { capture: true, passive: true };
  for (const kind of INPUT) addEventListener(kind, () => attention.noticed(), options);
  addEventListener("focus", () => attention.noticed());
  document.addEventListener("visibilitychange", () => document.hidden || attention.noticed());
}
