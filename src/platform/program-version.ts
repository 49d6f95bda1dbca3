/** The version of this program. */
import { readFileSync } from "node:fs";

let version: string | undefined;

/** What package.json says, which is beside `src/` and in the bundle's folder. */
export function programVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const parsed: { version?: unknown } = JSON.parse(text);
    version = String(parsed.version);
  }
  return version;
}
