#!/usr/bin/env node
// Measures the hub, the floor and the peers side by side, several rounds, and writes the table of
// docs/performance.md:
//
//   bench/run.mjs                    everything; some forty minutes on two cores
//   bench/run.mjs --only fanout      one part: fanout, idle, store, latency, history, storm, presence
//   bench/run.mjs --rounds 1         fewer rounds
//   bench/run.mjs --out FILE         keeps what each round came to, as JSON
//   bench/run.mjs --write            writes the table into docs/performance.md
//
// It needs what ./test needs. Whatever it starts listens on 127.0.0.1 and ends with it.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { table } from "./table.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const ROOKERY = join(ROOT, "target/release/rookery");
const DOCUMENT = join(ROOT, "docs/performance.md");

const { values: options } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "3" },
    out: { type: "string" },
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

const EMBEDDED = {};

function build() {
  const quiet = { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] };
  execFileSync("cargo", ["build", "--release", "--locked", "--quiet", "--bin", "rookery"], quiet);
  const floor = ["--release", "--locked", "--quiet", "--manifest-path", join(HERE, "floor/Cargo.toml")];
  execFileSync("cargo", ["build", ...floor], quiet);
  execFileSync("npm", ["ci", "--no-progress", "--silent", "--prefix", join(HERE, "peers")], quiet);
}

// Starts a peer; its first line says where it listens.
async function peer(name, use) {
  const [program, ...rest] = PEERS[name].command;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout }), "line"),
      once(child, "exit").then(() => Promise.reject(new Error(`${name} ended`))),
    ]);
    return use(`http://${line.split(" ").at(-1)}`, child.pid);
  } finally {
    child.kill("SIGKILL");
  }
}

function once(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, (...values) => resolve(values));
    emitter.once("error", reject);
  });
}

// One run of `rookery bench`; what it says besides goes to the terminal.
function bench(environment, ...words) {
  const env = { ...process.env, ...environment };
  const told = execFileSync(ROOKERY, ["bench", ...words, "--json"], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(told);
}

// Kafka and MariaDB as the tests start them, empty for each use.
function cluster(use) {
  const state = join(ROOT, ".services/bench");
  const env = { ...process.env, ROOKERY_SERVICES_DIR: state };
  const script = (name) => join(ROOT, "tests/services", name);
  const told = execFileSync(script("up"), { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  try {
    const of = (name) => told.match(new RegExp(`export ${name}=(.*)`))[1].replaceAll('"', "");
    const pid = (name) => readFileSync(join(state, name, "pid"), "utf8").trim();
    const database = "rookery_bench";
    const sql = `DROP DATABASE IF EXISTS ${database}; CREATE DATABASE ${database}`;
    execFileSync(script("mariadb/sql"), ["-e", sql], { env });
    const settings = {
      KAFKA_BROKERS: of("ROOKERY_TEST_KAFKA"),
      DATABASE_URL: `${of("ROOKERY_TEST_MYSQL")}/${database}`,
    };
    return use(settings, [`--process=broker=${pid("kafka")}`, `--process=database=${pid("mariadb")}`]);
  } finally {
    execFileSync(script("down"), { env });
  }
}

const PARTS = {
  async fanout(note) {
    for (const [load, words] of Object.entries(LOADS)) {
      note(`fanout ${load}`, "Rookery", bench(EMBEDDED, "fanout", ...words));
      for (const name of Object.keys(PEERS)) {
        const measured = await peer(name, (url, pid) =>
          bench(
            EMBEDDED,
            "fanout",
            ...words,
            `--speech=${PEERS[name].speech}`,
            `--url=${url}`,
            `--process=hub=${pid}`,
          ),
        );
        note(`fanout ${load}`, name, measured);
      }
    }
  },

  async idle(note) {
    note("idle, 10,000", "Rookery", bench(EMBEDDED, "idle", "--sockets=10000"));
  },

  async store(note) {
    note("store, embedded, 50 rooms", "Rookery", bench(EMBEDDED, "store"));
    cluster((settings, processes) => {
      note("store, cluster, 50 rooms", "Rookery", bench(settings, "store", ...processes));
      const one = ["--rooms=1", "--window=2000"];
      note("store, cluster, one room", "Rookery", bench(settings, "store", ...one, ...processes));
    });
  },

  async latency(note) {
    cluster((settings) => note("latency, cluster", "Rookery", bench(settings, "latency")));
  },

  async history(note) {
    note("history, embedded", "Rookery", bench(EMBEDDED, "history", "--messages=10000,1000000"));
    cluster((settings, processes) => {
      const words = ["history", "--messages=10000,1000000"];
      note("history, cluster", "Rookery", bench(settings, ...words, ...processes));
    });
  },

  async storm(note) {
    cluster((settings) => note("storm, cluster", "Rookery", bench(settings, "storm")));
  },

  async presence(note) {
    note("presence", "Rookery", bench(EMBEDDED, "presence"));
  },
};

const wanted = options.only ?? Object.keys(PARTS);
for (const part of wanted) {
  if (!PARTS[part]) throw new Error(`there is no part ${part}: ${Object.keys(PARTS).join(", ")}`);
}

build();
const rounds = [];
for (let round = 1; round <= Number(options.rounds); round += 1) {
  for (const part of wanted) {
    const note = (what, who, figures) => {
      rounds.push({ round, what, who, figures });
      console.error(`round ${round}: ${what}: ${who}: ${JSON.stringify(figures)}`);
      if (options.out) writeFileSync(options.out, JSON.stringify(rounds, undefined, 1));
    };
    await PARTS[part](note);
  }
}
const told = table(rounds);
console.log(told);
if (options.write) {
  const text = readFileSync(DOCUMENT, "utf8");
  const marks = /(<!-- figures -->\n)[^]*(<!-- end of figures -->)/;
  if (!marks.test(text)) throw new Error(`${DOCUMENT} has no place for the figures`);
  writeFileSync(
    DOCUMENT,
    text.replace(marks, (_, from, to) => `${from}\n${told}\n\n${to}`),
  );
}
