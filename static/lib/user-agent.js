// Which browser on which system, in the words that people use for them. Only a guess: a user agent
// says what its makers found useful, and most claim to be several browsers at once.

const BROWSERS = [
  [/\bEdgA?\/|\bEdgiOS\//, "Edge"],
  [/\bOPR\/|\bOPiOS\//, "Opera"],
  [/\bVivaldi\//, "Vivaldi"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bHeadlessChrome\/|\bChrome\/|\bCriOS\/|\bChromium\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];

/** `{ text, mobile }`: "Firefox on Linux"; for a program its name; else "Unknown device". */
export function describeAgent(userAgent) {
  const agent = userAgent ?? "";
  const find = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  const system = find(SYSTEMS);
  const browser = /^Mozilla\//.test(agent) ? find(BROWSERS) : null;
  const mobile = /\b(iPhone|iPad|Android|Mobile)\b/.test(agent);
  if (browser && system) return { text: `${browser} on ${system}`, mobile };
  const program = /^([\w.-]{2,40})(\/|$)/.exec(agent)?.[1];
  const name = browser ?? (program === "Mozilla" ? system : program);
  return { text: name ?? "Unknown device", mobile };
}
