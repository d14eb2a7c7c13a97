import { embedded } from "./hub.mjs";
import { stories } from "./stories.mjs";

// With the variable set, all of them: for those who have no Kafka at hand.
stories("one hub on its own", embedded, { everything: Boolean(process.env.EVERYTHING) });
