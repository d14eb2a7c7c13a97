// Is docs/asyncapi.json proper AsyncAPI 3.0? Its references are followed, too, into
// docs/openapi.json as well. What it says is held to the code by the Rust tests.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv";
import formats from "ajv-formats";

const docs = new URL("../docs/", import.meta.url);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const document = read(new URL("asyncapi.json", docs));
const schema = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0-without-$id.json");

/** Every reference in a value, with where it stands. */
function* references(value, path = "#") {
  if (value === null || typeof value !== "object") return;
  if (typeof value.$ref === "string") yield [path, value.$ref];
  for (const [name, part] of Object.entries(value)) yield* references(part, `${path}/${name}`);
}

function leadsSomewhere(reference) {
  const [file, pointer] = reference.split("#");
  let found = file ? read(new URL(file, docs)) : document;
  for (const part of pointer.split("/").slice(1)) found = found?.[part];
  return found !== undefined;
}

const ajv = new Ajv({
  strict: false,
  allErrors: true,
  validateFormats: true,
  unicodeRegExp: false,
});
formats(ajv);
const valid = ajv.compile(schema);
const wrong = valid(document)
  ? []
  : valid.errors.map((error) => `${error.instancePath} ${error.message}`);
for (const [path, reference] of references(document)) {
  if (!leadsSomewhere(reference)) wrong.push(`${path}: ${reference} leads nowhere`);
}
for (const line of wrong) console.error(`docs/asyncapi.json: ${line}`);
process.exitCode = wrong.length ? 1 : 0;
