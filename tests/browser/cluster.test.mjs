import { cluster } from "./hub.mjs";
import { stories } from "./stories.mjs";

stories("two hubs on Kafka and MariaDB", cluster, { everything: true });
