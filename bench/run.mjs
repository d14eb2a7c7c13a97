#!/usr/bin/env node
// Measures the hub, the floor and the peers side by side, several rounds, and writes the table of
// docs/performance.md:
//
//   bench/run.mjs                    everything; hours
//   bench/run.mjs --only fanout      one part: fanout, idle, store, nobody, latency, history, storm,
//                                    presence, growth
//   bench/run.mjs --rounds 1         fewer rounds
//   bench/run.mjs --keep FILE        keeps what each part of each round came to, as JSON; what is
//                                    kept there is not measured again
//   bench/run.mjs --write            writes the table into docs/performance.md, if all of it is well
//
// It needs what ./test needs. Whatever it starts listens on 127.0.0.1 and ends with it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { goals, table } from "./table.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const ROOKERY = join(ROOT, "target/release/rookery");
const DOCUMENT = join(ROOT, "docs/performance.md");

const { values: options } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "3" },
    keep: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

const LOADS = {
  A: ["--rooms=1", "--members=1000", "--rate=20"],
  B: ["--rooms=500", "--members=10", "--rate=2"],
  C: ["--rooms=10", "--members=100", "--window=32"],
  D: ["--rooms=20", "--members=20", "--rate=150"],
};

const PEERS = {
  floor: { speech: "plain", command: [join(HERE, "floor/target/release/floor")] },
  ws: { speech: "plain", command: ["node", join(HERE, "peers/ws.mjs")] },
  "Socket.IO": { speech: "socket-io", command: ["node", join(HERE, "peers/socket-io.mjs")] },
};

// Members and messages a second; rooms and messages a second in each.
const GROWING_MEMBERS = [
  [10, 2000],
  [100, 200],
  [1000, 20],
  [10000, 2],
];
const GROWING_ROOMS = [
  [10, 500],
  [100, 50],
  [1000, 5],
  [10000, 0.5],
];
const ROOMS_OF_NOBODY = 5;
// Until those who store have noticed that one of them is gone, and share its work out.
const REJOIN_MS = 20_000;
const FEWEST_ROUNDS = 3;

// Before the broker has compiled what it runs most, a record costs it five times as much.
const WARM_BROKER = "--warm-up=40";

// The files of hubs that are started here.
const FILES = mkdtempSync(join(tmpdir(), "rookery-bench-"));
process.on("exit", () => rmSync(FILES, { recursive: true, force: true }));

const EMBEDDED = {};
const DATABASE = "rookery_bench";

// What was started and has not ended, to end it with us.
const running = new Set();
let services;

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    services?.();
    process.exit(1);
  });
}

// Runs a program to its end; returns what it printed.
async function run(program, words, { env = process.env } = {}) {
  const child = spawn(program, words, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (told += text));
  const code = await new Promise((resolve, reject) => {
    child.once("close", resolve).once("error", reject);
  });
  running.delete(child);
  if (code !== 0) throw new Error(`${program} ${words.join(" ")}: it ended with ${code}`);
  return told;
}

async function build() {
  const release = ["build", "--release", "--locked", "--quiet"];
  await run("cargo", [...release, "--bin", "rookery"]);
  await run("cargo", [...release, "--manifest-path", join(HERE, "floor/Cargo.toml")]);
  await run("npm", ["ci", "--no-progress", "--silent", "--prefix", join(HERE, "peers")]);
}

// Starts a peer; its first line says where it listens.
async function peer(name, use) {
  const [program, ...words] = PEERS[name].command;
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  try {
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("error", reject).once("exit", () => reject(new Error(`${name} ended`)));
    });
    return await use(`http://${line.split(" ").at(-1)}`, child.pid);
  } finally {
    child.kill("SIGKILL");
    running.delete(child);
  }
}

// One run of `rookery bench` with these settings and no others.
async function bench(settings, ...words) {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, TMPDIR: FILES, ...settings };
  return JSON.parse(await run(ROOKERY, ["bench", ...words, "--json"], { env }));
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// One more hub beside that of the bench.
async function instance(settings, use) {
  const { PATH, HOME } = process.env;
  const address = `127.0.0.1:${await freePort()}`;
  const env = { PATH, HOME, ...settings, ROOKERY_SERVER__LISTEN: address };
  const child = spawn(ROOKERY, ["serve"], { env, stdio: "ignore" });
  running.add(child);
  try {
    const isReady = () =>
      fetch(`http://${address}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    for (let tries = 0; !(await isReady()); tries += 1) {
      if (tries > 600 || child.exitCode !== null) throw new Error("the other hub is not ready");
      await sleep(100);
    }
    return await use(child.pid);
  } finally {
    child.kill("SIGKILL");
    running.delete(child);
  }
}

// Kafka and MariaDB, new for each use, as an operator would run them: commits reach the disk.
async function cluster(use) {
  const state = join(ROOT, ".services/bench");
  const env = { ...process.env, ROOKERY_SERVICES_DIR: state, ROOKERY_SERVICES_FOR_BENCH: "yes" };
  const script = (name) => join(ROOT, "tests/services", name);
  services = () => execFileSync(script("down"), { env });
  // What somebody left behind who was killed.
  services();
  try {
    const told = await run(script("up"), [], { env });
    const of = (name) => told.match(new RegExp(`export ${name}=(.*)`))[1].replaceAll('"', "");
    const pid = (name) => readFileSync(join(state, name, "pid"), "utf8").trim();
    await run(script("mariadb/sql"), ["-e", `CREATE DATABASE ${DATABASE}`], { env });
    const settings = {
      KAFKA_BROKERS: of("ROOKERY_TEST_KAFKA"),
      DATABASE_URL: `${of("ROOKERY_TEST_MYSQL")}/${DATABASE}`,
    };
    const processes = { broker: pid("kafka"), database: pid("mariadb") };
    const words = Object.entries(processes).map(([name, id]) => `--process=${name}=${id}`);
    return await use(settings, words);
  } finally {
    services();
    services = undefined;
  }
}

// The same of the hub and of all that it is compared with, in another order each round: a machine
// may become slower meanwhile.
async function sideBySide(note, round, what, ...words) {
  const names = ["Rookery", ...Object.keys(PEERS)];
  const turn = round % names.length;
  for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
    const measure = (url, pid) =>
      bench(
        EMBEDDED,
        ...words,
        `--speech=${PEERS[name].speech}`,
        `--url=${url}`,
        `--process=hub=${pid}`,
      );
    note(what, name, await (name === "Rookery" ? bench(EMBEDDED, ...words) : peer(name, measure)));
  }
}

const PARTS = {
  async fanout(note, round) {
    for (const [load, words] of Object.entries(LOADS)) {
      await sideBySide(note, round, `fanout ${load}`, "fanout", ...words);
    }
  },

  async idle(note, round) {
    await sideBySide(note, round, "idle, 10,000", "idle", "--sockets=10000");
  },

  async store(note) {
    note("store, embedded, 50 rooms", "Rookery", await bench(EMBEDDED, "store"));
    await cluster(async (settings, processes) => {
      const words = ["store", WARM_BROKER, ...processes];
      note("store, cluster, 50 rooms", "Rookery", await bench(settings, ...words));
      await sleep(REJOIN_MS);
      const one = [...words, "--rooms=1", "--window=1000"];
      note("store, cluster, one room", "Rookery", await bench(settings, ...one));
    });
  },

  // What an instance takes for the messages of a room that nobody there is in; with one member, a
  // delivery is a message. Half of the rooms it stores; of the others, one is enough.
  async nobody(note) {
    await cluster(async (settings) => {
      await instance(settings, async (pid) => {
        const runs = [];
        for (let room = 1; room <= ROOMS_OF_NOBODY; room += 1) {
          const one = ["--rooms=1", "--members=1", "--window=1000", `--process=other=${pid}`];
          runs.push(await bench(settings, "fanout", ...one));
          await sleep(REJOIN_MS);
        }
        const least = Math.min(...runs.map((figures) => figures.cpu_us_per_delivery_other));
        note("a message for nobody here", "Rookery", { cpu_us_per_message: least });
      });
    });
  },

  async latency(note) {
    await cluster(async (settings) => {
      note("latency, cluster", "Rookery", await bench(settings, "latency"));
    });
  },

  async history(note) {
    const words = ["history", "--messages=10000,1000000"];
    note("history, embedded", "Rookery", await bench(EMBEDDED, ...words));
    await cluster(async (settings, processes) => {
      note("history, cluster", "Rookery", await bench(settings, ...words, ...processes));
    });
  },

  async storm(note) {
    await cluster(async (settings) => {
      note("storm, cluster", "Rookery", await bench(settings, "storm"));
    });
  },

  async presence(note) {
    note("presence", "Rookery", await bench(EMBEDDED, "presence"));
  },

  // As many deliveries a second, and as many messages under way, however many share them. What a
  // message takes however few hear it is left out: a room of one says what that is.
  async growth(note) {
    for (const [members, rate] of GROWING_MEMBERS) {
      const said = (count) =>
        bench(EMBEDDED, "fanout", "--rooms=1", `--members=${count}`, `--rate=${rate}`);
      const [one, all] = [await said(1), await said(members)];
      const taken = ({ cpu_us_per_delivery_hub, deliveries_per_second }) =>
        cpu_us_per_delivery_hub * deliveries_per_second;
      const more = all.deliveries_per_second - one.deliveries_per_second;
      const each = (taken(all) - taken(one)) / more;
      note(`one room of ${members}`, "Rookery", { ...all, cpu_us_per_delivery: each });
    }
    await cluster(async (settings, processes) => {
      for (const [rooms, rate] of GROWING_ROOMS) {
        const words = ["store", WARM_BROKER, `--rooms=${rooms}`, "--members=1", `--rate=${rate}`];
        note(`${rooms} rooms of one`, "Rookery", await bench(settings, ...words, ...processes));
        await sleep(REJOIN_MS);
      }
    });
  },
};

const wanted = options.only ?? Object.keys(PARTS);
for (const part of wanted) {
  if (!PARTS[part]) throw new Error(`there is no part ${part}: ${Object.keys(PARTS).join(", ")}`);
}
const marks = /(<!-- figures -->\n)[^]*(<!-- end of figures -->)/;
if (options.write && !marks.test(readFileSync(DOCUMENT, "utf8"))) {
  throw new Error(`${DOCUMENT} has no place for the figures`);
}

const most = Number(options.rounds);
if (!(most >= 1)) throw new Error("--rounds: a number");
if (options.write && (options.only || most < FEWEST_ROUNDS)) {
  throw new Error(`--write: of all parts, and of at least ${FEWEST_ROUNDS} rounds`);
}

const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).trim();
// The last commit that changed what is measured.
const PROGRAM = [
  "src",
  "sql",
  "static",
  "templates",
  "build.rs",
  "Cargo.toml",
  "Cargo.lock",
  "bench",
];
const commit = git("log", "-1", "--format=%h", "--", ...PROGRAM);
const dirty = git("status", "--porcelain", "--", ...PROGRAM) ? ", changed" : "";

// Each part of each round, and what it came to: figures of one thing on one server.
const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
const kept = options.keep && existsSync(options.keep) && JSON.parse(readFileSync(options.keep));
const done = kept ? kept.done : [];
if (kept && (kept.commit !== commit || kept.machine !== machine)) {
  const [other, here] = [`${kept.commit} on ${kept.machine}`, `${commit} on ${machine}`];
  throw new Error(`${options.keep} has figures of ${other}; this is ${here}`);
}
if (options.keep && dirty) {
  throw new Error("--keep: of a commit alone, and something is changed");
}
function keep() {
  writeFileSync(`${options.keep}.new`, JSON.stringify({ commit, machine, done }, undefined, 1));
  renameSync(`${options.keep}.new`, options.keep);
}

await build();
for (let round = 1; round <= most; round += 1) {
  for (const part of wanted) {
    if (done.some((one) => one.round === round && one.part === part)) continue;
    const measured = [];
    const note = (what, who, figures) => {
      measured.push({ what, who, figures });
      console.error(`round ${round}: ${what}: ${who}: ${JSON.stringify(figures)}`);
    };
    try {
      await PARTS[part](note, round);
    } catch (error) {
      console.error(`round ${round}: ${part}: ${error}`);
      process.exitCode = 1;
      continue;
    }
    done.push({ round, part, measured });
    if (options.keep) keep();
  }
}
const rounds = done
  .filter(({ round, part }) => round <= most && wanted.includes(part))
  .flatMap(({ round, measured }) => measured.map((one) => ({ round, ...one })));
const when = new Date().toISOString().slice(0, 10);
const of = `Commit ${commit}${dirty}, ${when}; ${most} rounds on ${machine}.`;
const told = [of, goals(rounds), table(rounds)].join("\n\n");
console.log(told);
if (options.write && !process.exitCode) {
  const text = readFileSync(DOCUMENT, "utf8");
  writeFileSync(
    DOCUMENT,
    text.replace(marks, (_, from, to) => `${from}\n${told}\n\n${to}`),
  );
}
