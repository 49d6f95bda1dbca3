/** Room on the root file system for what is fetched (spec/host-lifecycle.md 4.2). */
import { statfsSync } from "node:fs";
import { formatSize } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { layerStreamName } from "../imagestore/index.ts";
import type { ImageConfig, ImageManifest } from "../oci/index.ts";
import type { Repository } from "../repository/index.ts";

export interface RootSpace {
  readonly freeBytes: number;
  /** What must be free. As bootc: the layers, as they are fetched, must fit. Those that are there are not counted. */
  readonly neededBytes: number;
  readonly blockBytes: number;
}

interface LayeredImage {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

export function rootSpace(physicalRoot: string, { manifest, config }: LayeredImage, repository: Repository): RootSpace {
  const isPresent = (diffId: string) => repository.streams.find(layerStreamName(diffId)) !== undefined;
  const missing = manifest.layers.filter((_, index) => !isPresent(config.rootfs.diff_ids[index] ?? ""));
  const { bavail, bsize } = statfsSync(physicalRoot);
  const neededBytes = missing.reduce((sum, { size }) => sum + size, 0);
  return { freeBytes: bavail * bsize, neededBytes, blockBytes: bsize };
}

/** @throws SealrootError `no-space`, with bootc's words */
export function checkRootSpace(physicalRoot: string, image: LayeredImage, repository: Repository): void {
  const { freeBytes, neededBytes } = rootSpace(physicalRoot, image, repository);
  if (freeBytes >= neededBytes) return;
  const what = `Insufficient free space for the image: ${formatSize(neededBytes)} needed, ${formatSize(freeBytes)} free`;
  throw new SealrootError("no-space", what, {
    path: "/sysroot",
    expected: String(neededBytes),
    actual: String(freeBytes),
    hint: "sealroot gc removes what no deployment needs",
  });
}
