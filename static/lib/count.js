// Counts as badges show them.

const MOST = 99;

/** "3", or "99+" where it is more. */
export function upTo(count) {
  return count > MOST ? `${MOST}+` : String(count);
}
