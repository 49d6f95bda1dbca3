/** The stores of test/vectors/oci, unpacked to be read or damaged. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

const VECTORS = new URL("../../vectors/oci/", import.meta.url).pathname;

/** What all three stores hold (test/vectors/oci/README.md). */
export const NAME = "registry.example.com/t/store:v";
export const IMAGE_ID = "196b60de0bb7b5bf9ad2255280bc18b483559f04444a8e2a4f08ee52498a2163";
export const MANIFEST = "sha256:e7f8a1bd1f7327718eec3143f1fffe7e6c745fb0cb58e34942400950672e1613";
export const BASE = "f35519228b4d815467e6182cfb666360bec52056c533900ff6cf7ef67498f316";
export const TOP = "ef63c5912ad5fc7ea6efe7434720781b9d33cd8e3f8df17cde2261b112201625";
export const BASE_DIFF_ID = `sha256:${BASE}`;
export const TOP_DIFF_ID = "sha256:323940c1564fea46a1bfd5aa2c1547299a4fcb7b6cec930ae3470a5db63d045a";

export type StoreKind = "full" | "partial" | "cfs";

let unpacked = 0;

/** A fresh copy: its files are devices and have attributes, for which root is needed. */
export function unpackStore(scratch: string, kind: StoreKind): string {
  const into = join(scratch, `store-${++unpacked}`);
  mkdirSync(into, { recursive: true });
  const archive = join(VECTORS, `storage-${kind}.tar.gz`);
  execFileSync("tar", ["-xzf", archive, "-C", into, "--xattrs", "--xattrs-include=*"]);
  return join(into, `storage-${kind}`);
}

/** Takes away what the tools mounted below a directory: they mount a store's on itself, and leave it so. */
export function unmountBelow(directory: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  const below = mounts.filter((mount) => mount.startsWith(`${directory}/`));
  for (const path of below.reverse()) execFileSync("umount", [path]);
}

export function referenceTo(store: string, image = NAME): string {
  return `containers-storage:[overlay@${store}+${store}-run]${image}`;
}

/** Where a file of a layer lies. */
export function diffPath(store: string, layer: string, ...names: readonly string[]): string {
  return join(store, "overlay", layer, "diff", ...names);
}

/** Changes a JSON list of the store. */
export function editList(store: string, part: "images" | "layers", edit: (list: Record<string, unknown>[]) => void) {
  const path = join(store, `overlay-${part}`, `${part}.json`);
  const list = JSON.parse(readFileSync(path, "utf8"));
  edit(list);
  writeFileSync(path, JSON.stringify(list));
}

/** Changes the lines of a layer's tar-split data. */
export function editTarSplit(store: string, layer: string, edit: (text: string) => string): void {
  const path = join(store, "overlay-layers", `${layer}.tar-split.gz`);
  const before = gunzipSync(readFileSync(path)).toString();
  const after = edit(before);
  if (after === before) throw new Error("nothing was changed");
  writeFileSync(path, gzipSync(after));
}
