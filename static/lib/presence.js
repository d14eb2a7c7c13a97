// How present somebody is, in words.

import { ago } from "./time.js";

/** "Online", "Away", "Last seen 5 minutes ago", or for who never was here, "Offline". */
export function presenceText(status, lastSeen, now = Date.now()) {
  if (status === "online") return "Online";
  if (status === "away") return "Away";
  return lastSeen ? `Last seen ${ago(lastSeen, now)}` : "Offline";
}
