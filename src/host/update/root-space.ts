/** Room on the root file system for what is fetched (spec/host-lifecycle.md 4.2). */
import { statfsSync } from "node:fs";
import { formatSize } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ImageConfig, ImageManifest } from "../../oci/index.ts";

/**
 * As bootc: the layers, as they are fetched, must fit. Those that are there are not counted.
 *
 * @param isPresent whether the layer with this diff id is there
 * @throws SealrootError `no-space`, with bootc's words
 */
export function checkRootSpace(
  physicalRoot: string,
  { manifest, config }: { readonly manifest: ImageManifest; readonly config: ImageConfig },
  isPresent: (diffId: string) => boolean,
): void {
  const missing = manifest.layers.filter((_, index) => !isPresent(config.rootfs.diff_ids[index] ?? ""));
  const neededBytes = missing.reduce((sum, { size }) => sum + size, 0);
  const { bavail, bsize } = statfsSync(physicalRoot);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  const what = `Insufficient free space for the image: ${formatSize(neededBytes)} needed, ${formatSize(freeBytes)} free`;
  throw new SealrootError("no-space", what, {
    path: "/sysroot",
    expected: String(neededBytes),
    actual: String(freeBytes),
    hint: "sealroot gc removes what no deployment needs",
  });
}
