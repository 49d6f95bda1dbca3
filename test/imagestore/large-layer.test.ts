/** What a layer of very many entries takes. The whole million is pulled with SEALROOT_ALL_FAULTS=1. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { largeLayer, OBJECT_BYTES, SMALL_FILE_BYTES } from "./large-layer.ts";
import { scratchDirectory } from "./vectors.ts";

/** What each step may keep of a file. */
const STEPS: readonly [step: string, maxBytes: number][] = [
  // 655 when each entry had a map, a buffer and a big number of its own; 340 now.
  ["tree", 400],
  // 188 when the ids were strings in a map; 114 now.
  ["stream", 140],
  // 222 when it had all that was ever computed of an inode, and a map of all digests; 144 now.
  ["layout", 170],
  // 347 when the image was written in memory; 24 now.
  ["writing", 40],
];
const PULL_MAX_KIB = 1024 * 1024;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

for (const [step, maxBytes] of STEPS) {
  test(`a file of a large layer takes no more memory than it must: ${step}`, () => {
    const program = new URL("large-layer.ts", import.meta.url).pathname;
    const output = execFileSync(process.execPath, ["--expose-gc", program, step, "50000"], { encoding: "utf8" });
    const [fileBytes = "", kept] = output.trim().split(" ");
    assert.equal(kept, "object");
    assert.ok(Number(fileBytes) > 0 && Number(fileBytes) <= maxBytes, `${fileBytes} bytes a file`);
  });
}

const ENTRIES = process.env.SEALROOT_ALL_FAULTS !== undefined ? 1_000_000 : 20_000;

for (const [what, fileBytes] of [
  ["small files", SMALL_FILE_BYTES],
  ["objects, all different", OBJECT_BYTES],
] as const) {
  test(`a layer of ${ENTRIES} ${what} is pulled and made bootable in less than a gibibyte`, async () => {
    const layout = await OciLayout.create(join(scratch.path, `layout-${fileBytes}`));
    async function* tar() {
      yield* largeLayer(ENTRIES, fileBytes);
      yield END_OF_ARCHIVE;
    }
    const layer = await putLayer(layout, Readable.from(tar(), { objectMode: true }), { compression: "zstd" });
    const rootfs = { type: "layers" as const, diff_ids: [layer.diffId] };
    const config = await layout.putConfig({ architecture: "amd64", os: "linux", rootfs });
    const manifest = { schemaVersion: 2 as const, mediaType: MEDIA_TYPE.manifest, config, layers: [layer.descriptor] };
    await layout.putManifest(manifest, { tag: "t" });
    const repository = join(scratch.path, `repository-${fileBytes}`);
    runCommand("repo", "init", "--insecure", repository);
    const options = ["--quiet", "--insecure-policy", "--bootable", "--repo", repository];
    const peakKiB = runCommand("image", "pull", ...options, `oci:${layout.directory}:t`, "x");
    assert.ok(peakKiB > 0 && peakKiB < PULL_MAX_KIB, `${peakKiB} KiB`);
  });
}

/** Runs the command line as bin/sealroot does, and returns the most memory it had. */
function runCommand(...words: string[]): number {
  const program = new URL("measured-command.ts", import.meta.url).pathname;
  // As bin/sealroot sets them.
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "8388608" };
  const nodeWords = ["--max-semi-space-size=2", "--heap-growing-percent=100"];
  const output = execFileSync(process.execPath, [...nodeWords, program, ...words], { encoding: "utf8", env });
  return Number(output.trim().split("\n").at(-1));
}
