/** The example with the host program of this checkout in it: `COPY --from=TOOL /usr /usr`, without a builder. */
import { createHash } from "node:crypto";
import { globSync } from "node:fs";
import { cp, readFile, readlink, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { systemLayer } from "../../scripts/package/system-layer.ts";
import { CHECKOUT } from "../../scripts/package/tools.ts";
import { type EventSink, runStep } from "../../src/events/index.ts";
import { addLayer } from "./add-layer.ts";
import { DEBIAN_TAG, type DebianImage, readRecord, writeRecord } from "./image.ts";

export const PROGRAM_STEP = "add the host program";

/** Everything that the program and its units are made of. */
const SOURCES = ["src/**/*.ts", "initramfs/**/*", "scripts/package/*.ts", "systemd/**/*", "bin/*", "package-lock.json"];
const PLATFORM = { architecture: "amd64", os: "linux" };
/** Fast rather than small: the image is unpacked again within the minute. */
const GZIP_LEVEL = 3;

/**
 * Makes the image in `directory`, or finds that it is there already. As with the image below it, equal inputs give equal
 * bytes, and the layout gets its name when it is complete.
 */
export async function addHostProgram(base: DebianImage, directory: string, events: EventSink): Promise<DebianImage> {
  const inputsDigest = await digestOfInputs(base);
  const reference = `oci:${directory}:${DEBIAN_TAG}`;
  const earlier = await readRecord(directory);
  if (earlier?.inputsDigest === inputsDigest) return { ...earlier, directory, reference, reused: base.reused };
  const partial = `${directory}.partial`;
  const program = `${directory}.program`;
  try {
    return await runStep(events, PROGRAM_STEP, async () => {
      await rm(partial, { recursive: true, force: true });
      await cp(base.directory, partial, { recursive: true });
      await makeProgramFolder(program, "amd64");
      const tar = systemLayer(program, base.sourceDateEpochSeconds);
      const compression = { compression: "gzip", level: GZIP_LEVEL } as const;
      const added = await addLayer(partial, tar, {
        ...{ tag: DEBIAN_TAG, createdBy: "COPY sealroot /usr", compression, platform: PLATFORM },
      });
      const record = {
        manifestDigest: added.manifest.digest,
        layerBytes: base.layerBytes + added.layer.size,
        uncompressedBytes: base.uncompressedBytes + added.uncompressedBytes,
        sourceDateEpochSeconds: base.sourceDateEpochSeconds,
      };
      await writeRecord(partial, { ...record, inputsDigest });
      await rm(directory, { recursive: true, force: true });
      await rename(partial, directory);
      return { ...record, directory, reference, reused: base.reused };
    });
  } finally {
    for (const path of [partial, program]) await rm(path, { recursive: true, force: true });
  }
}

async function digestOfInputs(base: DebianImage): Promise<string> {
  const hash = createHash("sha256").update(base.manifestDigest);
  const paths = SOURCES.flatMap((pattern) => globSync(pattern, { cwd: CHECKOUT, withFileTypes: true }))
    .filter((path) => !path.isDirectory())
    .map((path) => ({ from: join(path.parentPath, path.name), isLink: path.isSymbolicLink() }))
    .sort((a, b) => (a.from < b.from ? -1 : 1));
  for (const { from, isLink } of paths) {
    const content = isLink ? await readlink(from) : await readFile(from);
    hash.update(`${from.slice(CHECKOUT.length)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}
