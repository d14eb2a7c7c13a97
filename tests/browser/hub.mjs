// The built binary as a process: start it, kill it, start it again on the same port with the same data.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { openSync, closeSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export const top = path.resolve(import.meta.dirname, "../..");
const binary = process.env.ROOKERY_BIN ?? path.join(top, "target/debug/rookery");
const run = promisify(execFile);

// Whatever happens to the test, its hubs do not outlive it.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Hub {
  constructor(name, port, folder, env) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}`;
    this.log = path.join(folder, `${name}.log`);
    this.env = {
      ...cleanEnvironment(),
      ROOKERY_SERVER__LISTEN: `127.0.0.1:${port}`,
      ROOKERY_DATA__DIR: path.join(folder, name),
      // The stories post faster than people write.
      ROOKERY_LIMITS__MESSAGES_PER_SECOND: "1000",
      ROOKERY_LIMITS__MESSAGES_BURST: "1000",
      ROOKERY_LIMITS__CHANGES_PER_SECOND: "1000",
      ROOKERY_LIMITS__CHANGES_BURST: "1000",
      ...env,
    };
  }

  async start() {
    const log = openSync(this.log, "a");
    this.child = spawn(binary, ["serve"], { env: this.env, stdio: ["ignore", log, log] });
    closeSync(log);
    running.add(this.child);
    const failed = new Promise((_, reject) => this.child.once("error", reject));
    await Promise.race([failed, this.#ready()]);
  }

  async #ready() {
    await until(`${this.name} is ready`, 60_000, async () => {
      if (this.child.exitCode !== null) {
        throw new Error(
          `${this.name} ended with code ${this.child.exitCode}:\n${await this.tail()}`,
        );
      }
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      return answer?.status === 200;
    });
  }

  async tail(lines = 40) {
    const text = await readFile(this.log, "utf8").catch(() => "");
    return text.split("\n").slice(-lines).join("\n");
  }

  kill = () => this.#end("SIGKILL");
  stop = () => this.#end("SIGTERM");

  async #end(signal) {
    const child = this.child;
    if (!running.delete(child)) return;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const overdue = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await gone;
    clearTimeout(overdue);
  }

  /** A command of the operator's, with the hub's settings. */
  command = (...words) => run(binary, words, { env: this.env });

  /** A call to the API; `token` is what signing up gave. */
  async call(method, route, { token, body } = {}) {
    const answer = await fetch(`${this.url}/api/v1${route}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { "content-type": "application/json" }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route} answered ${answer.status}: ${text}`);
    return text ? JSON.parse(text) : null;
  }
}

/** One hub with nothing beside it; `settings` are more of its environment. */
export async function embedded(settings = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "rookery-"));
  return started(folder, [new Hub("hub", await freePort(), folder, settings)], async () => {});
}

/** Two hubs that share the services' broker and a database of their own. */
export async function cluster(settings = {}) {
  const { ROOKERY_TEST_KAFKA, ROOKERY_TEST_MYSQL, ROOKERY_TEST_SERVICES } = process.env;
  if (!ROOKERY_TEST_KAFKA || !ROOKERY_TEST_MYSQL || !ROOKERY_TEST_SERVICES) {
    throw new Error('no services to test with: eval "$(tests/services/up)" first');
  }
  const fresh = `browser_${process.pid}_${Date.now()}`;
  const sql = (text) => run(path.join(ROOKERY_TEST_SERVICES, "mariadb/sql"), ["--execute", text]);
  const topics = (...options) =>
    run(path.join(ROOKERY_TEST_SERVICES, "kafka/tool"), ["TopicCommand", ...options]);
  await sql(`CREATE DATABASE ${fresh}`);

  const env = {
    KAFKA_BROKERS: ROOKERY_TEST_KAFKA,
    DATABASE_URL: `${ROOKERY_TEST_MYSQL}/${fresh}`,
    ROOKERY_LOG__KIND: "kafka",
    ROOKERY_LOG__TOPIC_PREFIX: fresh,
    ROOKERY_STORE__KIND: "mysql",
    ...settings,
  };
  const folder = await mkdtemp(path.join(os.tmpdir(), "rookery-"));
  const hubs = [];
  for (const name of ["one", "two"]) hubs.push(new Hub(name, await freePort(), folder, env));
  return started(folder, hubs, async () => {
    await sql(`DROP DATABASE ${fresh}`);
    await topics("--delete", "--if-exists", "--topic", `${fresh}.*`);
  });
}

async function started(folder, hubs, cleanUp) {
  const end = async () => {
    await Promise.all(hubs.map((hub) => hub.stop()));
    await cleanUp();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // One after the other: the first to come makes the tables and the topics.
    for (const hub of hubs) await hub.start();
  } catch (error) {
    await end();
    throw error;
  }
  return { hubs, first: hubs[0], last: hubs.at(-1), end };
}

/** Asks until the answer is true, or fails naming what it waited for. */
export async function until(what, milliseconds, ask) {
  const end = Date.now() + milliseconds;
  for (;;) {
    if (await ask()) return;
    if (Date.now() > end) throw new Error(`waited ${milliseconds / 1000} s in vain: ${what}`);
    await sleep(50);
  }
}

// Below the ports that the kernel gives out by itself, so that the port of a hub that was killed stays free.
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

// Settings of whoever runs the tests must not reach the hub.
function cleanEnvironment() {
  const ours = /^(ROOKERY_|DB_|KAFKA_BROKERS$|DATABASE_URL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
