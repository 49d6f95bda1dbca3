/** The golden EROFS vectors. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const VECTORS = new URL("../vectors/erofs/", import.meta.url);

export function readVector(path: string): Uint8Array {
  const raw = readFileSync(new URL(path, VECTORS));
  return path.endsWith(".gz") ? gunzipSync(raw) : raw;
}

interface ExpectedImage {
  readonly fsverity_sha256?: string;
  readonly image_sha256?: string;
  readonly size?: number;
  readonly image?: string;
}

export interface Vector {
  readonly name: string;
  readonly input: string;
  /** By column: c-default, c-v0, c-v1, rs-v0, rs-v1, rs-v2. */
  readonly results: Readonly<Record<string, ExpectedImage>>;
}

export function listVectors(): Vector[] {
  const files = readdirSync(VECTORS).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => JSON.parse(Buffer.from(readVector(file)).toString()));
}

export function listBadImages(): string[] {
  return readdirSync(new URL("badimages/", VECTORS)).sort();
}
