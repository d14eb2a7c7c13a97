// Something small that lies over the page beside the button that opened it; on a phone a sheet from
// below. A click elsewhere or Escape closes it, and the focus goes back to where it was.

import { $, focusFirst, h, testId } from "../lib/dom.js";

const EDGE_PX = 8; // never nearer to the window's edge
const GAP_PX = 4;

/** Opens `content` beside `anchor`; `returnTo()` is what to focus when it closes. */
export function openPopup(anchor, { content, label, role, className = "", returnTo }) {
  // Not `popover="auto"`: that closes when the finger that pressed long is lifted.
  const popup = h(
    "div",
    { class: `popup ${className}`.trim(), popover: "manual", role, "aria-label": label },
    ...content,
  );
  const close = () => {
    if (!popup.isConnected) return;
    const hadFocus = popup.contains(document.activeElement);
    popup.remove();
    document.removeEventListener("pointerdown", elsewhere, { capture: true });
    removeEventListener("hashchange", close);
    // What opened it may be gone by now.
    if (hadFocus) focusFirst(returnTo?.(), testId("messages"), $(".stage"));
  };
  const elsewhere = ({ target }) => popup.contains(target) || close();
  document.addEventListener("pointerdown", elsewhere, { capture: true });
  addEventListener("hashchange", close); // another room is opened
  popup.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "Tab") return;
    if (event.key === "Tab" && role === "dialog") return;
    event.preventDefault();
    close();
  });
  const box = anchor.getBoundingClientRect();
  document.body.append(popup);
  popup.showPopover();
  place(popup, box);
  return { element: popup, close };
}

/** Below the anchor, or above it where there is no room; its end in line with the anchor's. */
function place(popup, anchor) {
  const { width, height } = popup.getBoundingClientRect();
  const below = anchor.bottom + GAP_PX;
  const fits = below + height + EDGE_PX <= innerHeight;
  const top = fits ? below : Math.max(EDGE_PX, anchor.top - height - GAP_PX);
  const left = Math.min(anchor.left, innerWidth - width - EDGE_PX);
  popup.style.setProperty("--top", `${top}px`);
  popup.style.setProperty("--left", `${Math.max(EDGE_PX, left)}px`);
}

/** Arrow keys go through the buttons among `elements()`, as in a menu. */
export function arrowKeys(event, elements) {
  const all = elements();
  const at = all.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const to = { Home: 0, End: all.length - 1 }[event.key];
  if ((step === undefined && to === undefined) || at < 0 || all.length === 0) return;
  event.preventDefault();
  all[to ?? (at + step + all.length) % all.length].focus();
}
