// What several rounds came to: the median of each figure, with the lowest and the highest.

import { GOALS } from "./goals.mjs";

// The figures of one thing measured on one server, by name, of all rounds.
function gather(rounds) {
  const things = new Map();
  const of = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);
  for (const { what, who, figures } of rounds) {
    const known = of(of(things, what), who);
    for (const [name, figure] of Object.entries(figures)) {
      known.set(name, [...(known.get(name) ?? []), figure]);
    }
  }
  return things;
}

function median(figures) {
  const sorted = figures.filter((figure) => figure !== null).sort((one, other) => one - other);
  if (sorted.length === 0) return undefined;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function shown(figure) {
  if (Math.abs(figure) >= 1000) return Math.round(figure).toLocaleString("en");
  return String(Number(figure.toPrecision(3)));
}

function cell(figures) {
  const numbers = (figures ?? []).filter((figure) => figure !== null);
  if (numbers.length === 0) return "–";
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const middle = shown(median(numbers));
  return low === high ? middle : `${middle} (${shown(low)}–${shown(high)})`;
}

// A table of the goals, as far as they were measured; each figure is of one round.
export function goals(rounds) {
  const numbers = [...new Set(rounds.map(({ round }) => round))];
  const measured = (goal, round) => {
    const of = (what, who = "Rookery") =>
      rounds.find((one) => one.round === round && one.what === what && one.who === who).figures;
    try {
      return [goal(of)].filter(Number.isFinite);
    } catch {
      // It was not measured in this round.
      return [];
    }
  };
  const rows = GOALS.map(([title, compare, bound, goal]) => {
    const figures = numbers.flatMap((round) => measured(goal, round));
    const middle = median(figures);
    const met = compare === "≤" ? middle <= bound : middle >= bound;
    const verdict = middle === undefined ? "not measured" : met ? "yes" : "**no**";
    return `| ${title} | ${compare} ${shown(bound)} | ${cell(figures)} | ${verdict} |`;
  });
  return ["| goal | | median (lowest–highest) | met |", "|---|---:|---:|---|", ...rows].join("\n");
}

// A table for each thing that was measured: its figures down, the servers across.
export function table(rounds) {
  const tables = [...gather(rounds)].map(([what, servers]) => {
    const names = [...servers.keys()];
    const figures = [...new Set([...servers.values()].flatMap((known) => [...known.keys()]))];
    const rows = figures.map((figure) => {
      const cells = names.map((name) => cell(servers.get(name).get(figure)));
      return `| ${figure.replaceAll("_", " ")} | ${cells.join(" | ")} |`;
    });
    const head = `| ${what} | ${names.join(" | ")} |`;
    return [head, `|---${"|---:".repeat(names.length)}|`, ...rows].join("\n");
  });
  return tables.join("\n\n");
}
