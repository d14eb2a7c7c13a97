// A position is an integer in a string, since it may be larger than what a JavaScript number can
// hold exactly. Within one room a larger one is later; between rooms it means nothing.

/** Negative, zero or positive, as for `Array.prototype.sort`; nothing counts as 0. */
export function compare(a, b) {
  const left = BigInt(a ?? 0);
  const right = BigInt(b ?? 0);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function isLater(a, b) {
  return compare(a, b) > 0;
}

export function latest(a, b) {
  return isLater(b, a) ? b : (a ?? "0");
}
