#!/usr/bin/env node
// The whole table of docs/guarantees.md: each row with many seeds, several runs at once, each on a
// Kafka and a MariaDB of its own. It takes hours, and goes on where it was stopped: what OUT has
// already is not run again.
//
//   tests/rookery-faults/many.mjs [--out docs/guarantees.jsonl] [--first 2001] [--seeds 20]
//       [--workers 4] [--long 2] [--minutes 600] [--only PART]...
//
// `--long` of the workers take the rows of three minutes, the others the rest; a few rows are run
// alone, at the end. A run begins only when
// a part of the machine is idle: a machine that is busy all the time says nothing about the hub. The
// last seed of each row has a minute of quiet, the others three seconds. Nothing else should run
// meanwhile, least of all a compiler.

import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
// Of the processors' time, over this many milliseconds, before a run begins; and how long it has to
// itself to begin.
const IDLE = 0.3;
const LOOKED_AT = 3_000;
const BEGINNING = 5_000;

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: join(ROOT, "docs/guarantees.jsonl") },
    first: { type: "string", default: "2001" },
    seeds: { type: "string", default: "20" },
    workers: { type: "string", default: "4" },
    long: { type: "string", default: "2" },
    minutes: { type: "string", default: "600" },
    only: { type: "string", multiple: true, default: [""] },
  },
});

const run = promisify(execFile);
const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));
const ends = Date.now() + Number(options.minutes) * 60_000;

// The hub and the runs, optimised.
async function build() {
  const words = ["test", "--release", "--locked", "--no-run", "--test", "rookery-faults"];
  const cargo = await run("cargo", [...words, "--message-format=json"], {
    cwd: ROOT,
    maxBuffer: 1 << 28,
  });
  const built = cargo.stdout.split("\n").filter((line) => line.includes('"executable":"'));
  const programs = built.map((line) => JSON.parse(line)).filter(({ executable }) => executable);
  const named = (name) => programs.find(({ target }) => target.name === name).executable;
  return { hub: named("rookery"), runs: named("rookery-faults") };
}

// Seeds of one row that a world is started for: so many, or the minutes of a long row.
const isLong = (row) => row.includes("180 s");
const TOGETHER = 5;
// What these measure needs the machine.
const ALONE = ["slow readers", "5,000 dropped"];

// What is missing, a few seeds of every row before the next.
function missing(rows) {
  const lines = existsSync(options.out) ? readFileSync(options.out, "utf8").split("\n") : [];
  const told = lines.filter(Boolean).map((line) => JSON.parse(line));
  const done = new Set(
    told.filter((one) => !one.broken_off).map(({ row, seed }) => `${row}|${seed}`),
  );
  const first = Number(options.first);
  const last = first + Number(options.seeds) - 1;
  const jobs = [];
  for (const row of rows) {
    for (let seed = first; seed <= last; seed += 1) {
      if (done.has(`${row}|${seed}`)) continue;
      const quiet = seed === last ? 60 : 3;
      const job = jobs.at(-1);
      const follows = job?.row === row && job.seed + job.seeds === seed && job.quiet === quiet;
      if (follows && job.seeds < TOGETHER && !isLong(row)) job.seeds += 1;
      else jobs.push({ row, seed, seeds: 1, quiet });
    }
  }
  return jobs.sort((one, other) => one.seed - other.seed);
}

function times() {
  const all = cpus().map(({ times }) => times);
  const sum = (of) => all.reduce((total, one) => total + of(one), 0);
  return {
    idle: sum((one) => one.idle),
    all: sum((one) => Object.values(one).reduce((a, b) => a + b)),
  };
}

// One after the other: each begins when the machine has room for it.
let turn = Promise.resolve();
async function room() {
  const before = turn;
  let free;
  turn = new Promise((resolve) => (free = resolve));
  await before;
  for (;;) {
    const from = times();
    await sleep(LOOKED_AT);
    const to = times();
    if ((to.idle - from.idle) / (to.all - from.all) > IDLE) break;
  }
  setTimeout(free, BEGINNING);
}

async function work(number, jobs, { hub, runs }) {
  const env = {
    ...process.env,
    ROOKERY_SERVICES_DIR: join(ROOT, `.services/many-${number}`),
    ROOKERY_TEST_BINARY: hub,
    // For hours of it the compiler that takes longer pays.
    _JAVA_OPTIONS: "-XX:TieredStopAtLevel=4",
  };
  const script = (name) => run(join(ROOT, "tests/services", name), [], { env });
  try {
    for (let job = jobs.shift(); job && Date.now() < ends; job = jobs.shift()) {
      await room();
      // A run that broke off may have left one of them down.
      const { stdout } = await script("up");
      for (const [, name, value] of stdout.matchAll(/^export (\w+)=(.*)$/gm)) {
        env[name] = value.replaceAll('"', "");
      }
      const { row, seed, seeds, quiet } = job;
      const which = ["--seed", `${seed}`, "--seeds", `${seeds}`, "--quiet", `${quiet}`];
      const words = [row, ...which, "--out", options.out];
      await new Promise((resolve, reject) => {
        const child = spawn(runs, words, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
        let told = "";
        child.stdout.on("data", (text) => (told += text));
        child.once("error", reject).once("close", (code) => {
          const many = seeds > 1 ? `${seed} to ${seed + seeds - 1}` : seed;
          console.log(code === 0 ? `${row}, ${many}: ok (${jobs.length} left)` : told);
          resolve();
        });
      });
    }
  } finally {
    await script("down");
  }
}

const programs = await build();
const listed = await run(programs.runs, ["--list"]);
const rows = listed.stdout.split("\n").filter(Boolean);
const names = rows.map((line) => line.slice(0, line.indexOf(": ")));
const wanted = names.filter((name) => options.only.some((part) => name.includes(part)));
const jobs = missing(wanted);
const long = jobs.filter(({ row }) => isLong(row));
const alone = jobs.filter(({ row }) => ALONE.includes(row));
const short = jobs.filter(({ row }) => !isLong(row) && !ALONE.includes(row));
const runs = (jobs) => jobs.reduce((sum, { seeds }) => sum + seeds, 0);
console.log(`${runs(short) + runs(alone)} runs and ${runs(long)} long ones are missing`);
const workers = Array.from({ length: Number(options.workers) }, (_, number) =>
  work(number, number < Number(options.long) ? long : short, programs),
);
await Promise.all(workers);
await work(0, alone, programs);
