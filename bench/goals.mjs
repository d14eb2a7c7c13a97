// The goals, each as a figure of one round and a bound: what is compared was measured side by side.

// CPU per delivery beside the floor's.
const overFloor = (load) => (of) =>
  of(`fanout ${load}`).cpu_us_per_delivery_hub /
  of(`fanout ${load}`, "floor").cpu_us_per_delivery_hub;

const times = (part, figure) => (of) =>
  of(part)[`${figure}_1000000_p50_ms`] / of(part)[`${figure}_10000_p50_ms`];

const LOOKS = ["page", "older_page", "room_list", "search_common", "search_seldom"];
const STEPS = [10, 100, 1000, 10000];

// The largest beside the smallest.
const spread = (figures) => Math.max(...figures) / Math.min(...figures);

export const GOALS = [
  ["A, 1 room × 1,000: CPU per delivery against the floor", "≤", 1.15, overFloor("A")],
  ["B, 500 rooms × 10: the same", "≤", 1.5, overFloor("B")],
  ["C, 10 rooms × 100, closed loop: the same", "≤", 1.3, overFloor("C")],
  [
    "C: deliveries a second against Socket.IO",
    "≥",
    8,
    (of) =>
      of("fanout C").deliveries_per_second / of("fanout C", "Socket.IO").deliveries_per_second,
  ],
  [
    "D, 20 rooms × 20 × 150 a second: p99 added to the floor's, ms",
    "≤",
    3,
    (of) => of("fanout D").seen_p99_ms - of("fanout D", "floor").seen_p99_ms,
  ],
  [
    "idle connection at 10,000: KiB",
    "≤",
    4.5,
    (of) => of("idle, 10,000").bytes_per_socket_hub / 1024,
  ],
  [
    "embedded, stored with fsync: messages a second",
    "≥",
    20000,
    (of) => of("store, embedded, 50 rooms").stored_per_second,
  ],
  [
    "cluster, 50 rooms, stored: messages a second",
    "≥",
    20000,
    (of) => of("store, cluster, 50 rooms").stored_per_second,
  ],
  [
    "the same: CPU of hub, broker and database, µs a message",
    "≤",
    45,
    (of) => of("store, cluster, 50 rooms").cpu_us_per_message_all,
  ],
  [
    "cluster, one room, stored: messages a second",
    "≥",
    10000,
    (of) => of("store, cluster, one room").stored_per_second,
  ],
  [
    "send to seen: p50 above Kafka's own, ms",
    "≤",
    1,
    (of) => of("latency, cluster").seen_p50_ms - of("latency, cluster").kafka_p50_ms,
  ],
  [
    "send to seen: p99 above Kafka's own, ms",
    "≤",
    3,
    (of) => of("latency, cluster").seen_p99_ms - of("latency, cluster").kafka_p99_ms,
  ],
  [
    "a record for a room nobody here is in: µs",
    "≤",
    2,
    (of) => of("a message for nobody here").cpu_us_per_message,
  ],
  ...["embedded", "cluster"].flatMap((where) =>
    LOOKS.map((look) => [
      `${where}: ${look.replace("_", " ")}, of 1,000,000 messages against 10,000`,
      "≤",
      2,
      times(`history, ${where}`, look),
    ]),
  ),
  [
    "10,000 sockets come back: CPU of the hub, µs each",
    "≤",
    150,
    (of) => of("storm, cluster").cpu_us_per_socket_hub,
  ],
  ["the same: store queries each", "≤", 2, (of) => of("storm, cluster").store_queries_per_socket],
  [
    "the same: others' p99 against their calm",
    "≤",
    2,
    (of) => of("storm, cluster").storm_seen_p99_ms / of("storm, cluster").calm_seen_p99_ms,
  ],
  [
    "start with 1,000,000 messages, embedded: ms",
    "≤",
    300,
    (of) => of("history, embedded").start_1000000_ms,
  ],
  [
    "CPU per delivery without that per message, from 10 to 10,000 members: largest against smallest",
    "≤",
    1.2,
    (of) => spread(STEPS.map((step) => of(`one room of ${step}`).cpu_us_per_delivery)),
  ],
  [
    "CPU per stored message, from 10 to 10,000 rooms: largest against smallest",
    "≤",
    1.2,
    (of) => spread(STEPS.map((step) => of(`${step} rooms of one`).cpu_us_per_message_all)),
  ],
];
