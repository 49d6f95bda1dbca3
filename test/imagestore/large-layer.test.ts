/** What a layer of very many entries takes. The whole million is pulled with SEALROOT_ALL_FAULTS=1. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { END_OF_ARCHIVE } from "../../src/tar/index.ts";
import { largeLayer } from "./large-layer.ts";
import { scratchDirectory } from "./vectors.ts";

/** 655 when each entry had a map, a buffer and a big number of its own; 330 now. */
const ENTRY_MAX_BYTES = 400;
const PULL_MAX_KIB = 1024 * 1024;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

test("an entry of a large layer takes no more memory in the tree than it must", () => {
  const program = new URL("large-layer.ts", import.meta.url).pathname;
  const output = execFileSync(process.execPath, ["--expose-gc", program, "50000"], { encoding: "utf8" });
  const [entryBytes = "", rootEntries] = output.trim().split(" ");
  assert.equal(rootEntries, "1");
  assert.ok(Number(entryBytes) > 0 && Number(entryBytes) <= ENTRY_MAX_BYTES, `${entryBytes} bytes an entry`);
});

const ENTRIES = process.env.SEALROOT_ALL_FAULTS !== undefined ? 1_000_000 : 20_000;

test(`a layer of ${ENTRIES} entries is pulled in less than a gibibyte`, async () => {
  const layout = await OciLayout.create(join(scratch.path, "layout"));
  async function* tar() {
    yield* largeLayer(ENTRIES);
    yield END_OF_ARCHIVE;
  }
  const layer = await putLayer(layout, Readable.from(tar(), { objectMode: true }), { compression: "zstd" });
  const rootfs = { type: "layers" as const, diff_ids: [layer.diffId] };
  const config = await layout.putConfig({ architecture: "amd64", os: "linux", rootfs });
  const manifest = { schemaVersion: 2 as const, mediaType: MEDIA_TYPE.manifest, config, layers: [layer.descriptor] };
  await layout.putManifest(manifest, { tag: "t" });
  const repository = join(scratch.path, "repository");
  runCommand("repo", "init", "--insecure", repository);
  const reference = `oci:${layout.directory}:t`;
  const peakKiB = runCommand("image", "pull", "--quiet", "--insecure-policy", "--repo", repository, reference, "x");
  assert.ok(peakKiB > 0 && peakKiB < PULL_MAX_KIB, `${peakKiB} KiB`);
});

/** Runs the command line as bin/sealroot does, and returns the most memory it had. */
function runCommand(...words: string[]): number {
  const source = (name: string) => JSON.stringify(new URL(`../../src/cli/${name}`, import.meta.url).pathname);
  const program = `
    import { main } from ${source("main.ts")};
    import { processOutput } from ${source("output.ts")};
    process.exitCode = await main(process.argv.slice(1), processOutput());
    process.stdout.write("\\n" + process.resourceUsage().maxRSS);`;
  // As bin/sealroot sets them.
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "8388608" };
  const flags = ["--max-semi-space-size=2", "--input-type=module", "--eval", program, "--"];
  const output = execFileSync(process.execPath, [...flags, ...words], { encoding: "utf8", env });
  return Number(output.trim().split("\n").at(-1));
}
