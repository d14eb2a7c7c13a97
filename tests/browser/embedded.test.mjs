import { embedded } from "./hub.mjs";
import { stories } from "./stories.mjs";

stories("one hub on its own", embedded);
