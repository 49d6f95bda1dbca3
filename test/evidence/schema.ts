/** Values compared with the schemas that are published. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { faultsOf } from "../docs/json-schema.ts";

const SCHEMAS = join(import.meta.dirname, "../../docs/schema");

/** @returns what does not fit */
export function schemaFaults(name: string, value: unknown): readonly string[] {
  return faultsOf(JSON.parse(readFileSync(join(SCHEMAS, `${name}.json`), "utf8")), JSON.parse(JSON.stringify(value)));
}
