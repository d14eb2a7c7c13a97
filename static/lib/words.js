// The words of a text and of a query as the server takes them (core/search.rs): without case and
// accents, and scripts that write no spaces by single characters and pairs. The page needs them to
// mark what was found and to know which lines still match. Both sides are held to
// tests/search-cases.json.

const CHARACTERS = 24; // of a word
const ASKED = 8; // words of a query
const PREFIX = 2; // characters from which on the last word may be the beginning of one

// What belongs to one character: its marks, and the half-width voiced marks of Japanese.
const CLUSTERS = /.[\p{M}\uff9e\uff9f]*/gsu;
const ACCENTS = /[\u0300-\u036f]/g;
const LETTER = /[\p{Alphabetic}\p{N}]/u;
const MARK = /\p{M}/u;
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]/u;

/** What somebody looks for, or null where there is nothing in it to look for. */
export function parseQuery(text) {
  const found = runs(text);
  const words = new Set();
  let prefix = null;
  found.forEach(({ characters, spaced }, at) => {
    if (!spaced) {
      const few = characters.length === 1;
      for (const word of few ? characters : pairs(characters)) words.add(word);
    } else if (at === found.length - 1 && characters.length >= PREFIX) prefix = short(characters);
    else words.add(short(characters));
  });
  const counted = [...words].sort().slice(-ASKED);
  return prefix || counted.length ? { words: new Set(counted), prefix } : null;
}

/** Whether a text has all that is asked for. */
export function matches(query, text) {
  const missing = new Set(query.words);
  let begins = query.prefix === null;
  for (const { characters, spaced } of runs(text)) {
    if (spaced) {
      const word = short(characters);
      missing.delete(word);
      begins ||= word.startsWith(query.prefix);
    } else {
      for (const word of [...characters, ...pairs(characters)]) missing.delete(word);
    }
  }
  return begins && missing.size === 0;
}

/** Where in a text that is which is asked for: `[start, end]` in order, not overlapping. */
export function hits({ words, prefix }, text) {
  const found = [];
  for (const { characters, spaced, at } of runs(text)) {
    if (spaced) {
      const word = short(characters);
      if (words.has(word)) found.push([at[0][0], at.at(-1)[1]]);
      else if (prefix && word.startsWith(prefix))
        found.push([at[0][0], at[[...prefix].length - 1][1]]);
      continue;
    }
    characters.forEach((character, index) => {
      if (words.has(character)) found.push(at[index]);
      if (words.has(character + characters[index + 1]))
        found.push([at[index][0], at[index + 1][1]]);
    });
  }
  return joined(found);
}

/** Characters that belong together, each with its place in the text. */
function runs(text) {
  const all = [];
  let run = null;
  for (const { 0: cluster, index } of text.matchAll(CLUSTERS)) {
    const place = [index, index + cluster.length];
    for (const character of fold(cluster)) {
      if (!(LETTER.test(character) || (run && MARK.test(character)))) {
        run = null;
        continue;
      }
      const spaced = !UNSPACED.test(character);
      if (run?.spaced !== spaced) all.push((run = { characters: [], at: [], spaced }));
      run.characters.push(character);
      run.at.push(place);
    }
  }
  return all;
}

function fold(cluster) {
  return cluster.normalize("NFKD").replace(ACCENTS, "").normalize("NFC").toLowerCase();
}

function pairs(characters) {
  return characters.slice(1).map((character, index) => characters[index] + character);
}

function short(characters) {
  return characters.slice(0, CHARACTERS).join("");
}

function joined(ranges) {
  const all = [];
  for (const [start, end] of ranges.sort((one, other) => one[0] - other[0])) {
    const last = all.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else all.push([start, end]);
  }
  return all;
}
