/** The example system as an OCI image in a layout directory, rebuilt only when its inputs have changed. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasErrno } from "../../src/errors/index.ts";
import { type EventSink, runStep } from "../../src/events/index.ts";
import { OciLayout, putLayer } from "../../src/oci/index.ts";
import { type BootstrapInputs, bootstrapDebian, readBootstrapInputs } from "./bootstrap.ts";

export interface DebianImageOptions {
  /** Where the OCI layout goes. */
  readonly directory: string;
  /** The larger system of the benchmarks. */
  readonly full?: boolean;
  readonly sourceDateEpochSeconds?: number;
  /** Makes another system out of the example. */
  readonly change?: (inputs: BootstrapInputs) => BootstrapInputs;
  readonly events: EventSink;
}

export interface DebianImage {
  readonly directory: string;
  /** `oci:DIRECTORY:TAG`, as the command line takes it. */
  readonly reference: string;
  readonly manifestDigest: string;
  readonly layerBytes: number;
  readonly uncompressedBytes: number;
  readonly sourceDateEpochSeconds: number;
  /** True when an earlier bootstrap with the same inputs was taken. */
  readonly reused: boolean;
}

export const DEBIAN_TAG = "latest";
export const BOOTSTRAP_STEP = "bootstrap Debian into an OCI image";

/** 2026-11-01. A fixed day, so that the example's bytes do not depend on when it is built. */
const SOURCE_DATE_EPOCH_SECONDS = 1_793_491_200;
/** Beside the layout's own files; its presence says that the image is whole. */
const RECORD_FILE = "sealroot-example.json";
/** Fast rather than small: the image is unpacked again within the minute. */
const GZIP_LEVEL = 3;

/** What a layout of the example says about itself. */
export type BuildRecord = Omit<DebianImage, "directory" | "reference" | "reused"> & { readonly inputsDigest: string };

/**
 * Builds the image, or finds that it is there already.
 *
 * The layout is made under a temporary name and renamed when complete.
 * @throws SealrootError `missing-tool` or `failed` from the bootstrap
 */
export async function buildDebianImage(options: DebianImageOptions): Promise<DebianImage> {
  const { directory, events } = options;
  const epochSeconds = options.sourceDateEpochSeconds ?? environmentEpochSeconds() ?? SOURCE_DATE_EPOCH_SECONDS;
  const example = await readBootstrapInputs(options.full ?? false, epochSeconds);
  const inputs = options.change?.(example) ?? example;
  const inputsDigest = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  const reference = `oci:${directory}:${DEBIAN_TAG}`;
  const earlier = await readRecord(directory);
  if (earlier?.inputsDigest === inputsDigest) return { ...earlier, directory, reference, reused: true };

  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(dirname(partial), { recursive: true });
  try {
    const built = await runStep(events, BOOTSTRAP_STEP, (reporter) =>
      buildLayout(partial, inputs, `${directory}.log`, reporter),
    );
    const record: BuildRecord = { ...built, inputsDigest };
    await writeRecord(partial, record);
    await rm(directory, { recursive: true, force: true });
    await rename(partial, directory);
    return { ...record, directory, reference, reused: false };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function buildLayout(
  directory: string,
  inputs: BootstrapInputs,
  logPath: string,
  reporter: Parameters<typeof bootstrapDebian>[2],
): Promise<Omit<BuildRecord, "inputsDigest">> {
  const layout = await OciLayout.create(directory);
  const tar = bootstrapDebian(inputs, logPath, reporter);
  const layer = await putLayer(layout, tar, { compression: "gzip", level: GZIP_LEVEL });
  const created = new Date(inputs.sourceDateEpochSeconds * 1000).toISOString().replace(".000Z", "Z");
  const platform = { architecture: inputs.architecture ?? "amd64", os: "linux" };
  const config = await layout.putConfig({
    ...platform,
    created,
    config: {
      Labels: {
        "containers.bootc": "1",
        "ostree.bootable": "1",
        "org.opencontainers.image.title": `Debian ${inputs.suite}`,
        "org.opencontainers.image.version": "13",
      },
    },
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
    history: [{ created, created_by: `mmdebstrap ${inputs.suite}` }],
  });
  const manifest = await layout.putManifest(
    { schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [layer.descriptor] },
    { tag: DEBIAN_TAG, platform },
  );
  return {
    manifestDigest: manifest.digest,
    layerBytes: layer.descriptor.size,
    uncompressedBytes: layer.uncompressedBytes,
    sourceDateEpochSeconds: inputs.sourceDateEpochSeconds,
  };
}

export async function writeRecord(directory: string, record: BuildRecord): Promise<void> {
  await writeFile(join(directory, RECORD_FILE), `${JSON.stringify(record, undefined, 2)}\n`);
}

function environmentEpochSeconds(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  return text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : undefined;
}

/** @returns undefined where there is no complete image */
export async function readRecord(directory: string): Promise<BuildRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, RECORD_FILE), "utf8"));
  } catch (error) {
    // A record that cannot be read means a build that cannot be trusted: build again.
    if (error instanceof SyntaxError || hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
