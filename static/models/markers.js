// A read marker: { read_version, read_position }. Marking as unread sets the position back and raises
// the version, so of two markers the later is the one with the larger version or, in the same
// version, the larger position. Heard in any order, the latest is where it is.

import { compare } from "../lib/position.js";

export function versionOf(marker) {
  return marker?.read_version ?? 0;
}

/** Negative, zero or positive, as for `Array.prototype.sort`. */
export function compareMarkers(a, b) {
  return versionOf(a) - versionOf(b) || compare(a?.read_position, b?.read_position);
}
