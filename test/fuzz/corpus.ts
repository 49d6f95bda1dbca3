/** The committed inputs below `corpus/`, and those taken from the golden vectors. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const CORPUS = new URL("corpus/", import.meta.url);
const VECTORS = new URL("../vectors/", import.meta.url);

/** The inputs kept for a target, in order of their names. */
export function savedCorpus(target: string): Buffer[] {
  const directory = new URL(`${target}/`, CORPUS);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => readFileSync(new URL(name, directory)));
}

/** The vectors of a directory whose names match and that are small; those that end in `.gz` unpacked. */
export function vectors(directory: string, name: RegExp, maxBytes: number): Buffer[] {
  const url = new URL(`${directory}/`, VECTORS);
  return readdirSync(url)
    .filter((file) => name.test(file))
    .sort()
    .map((file) => {
      const raw = readFileSync(new URL(file, url));
      return file.endsWith(".gz") ? gunzipSync(raw) : raw;
    })
    .filter((bytes) => bytes.length <= maxBytes);
}
