/** How this program identifies itself to registries. */
import { readFileSync } from "node:fs";

let name: string | undefined;

/** `sealroot/VERSION`, the version being that of package.json beside `src/`. */
export function userAgent(): string {
  if (name === undefined) {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version }: { version?: unknown } = JSON.parse(text);
    name = `sealroot/${version}`;
  }
  return name;
}
