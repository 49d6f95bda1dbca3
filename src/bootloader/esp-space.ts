/** Room on the ESP, as its file system has it. */
import { statfsSync } from "node:fs";
import { formatSize } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";

/** For the entries, and clusters of directories that grow. */
const SPARE_CLUSTERS = 16;

export interface EspSpace {
  readonly freeBytes: number;
  /** What the files take, in whole clusters. */
  readonly neededBytes: number;
}

/** @param fileSizes of the files to be written, bytes each */
export function espSpace(bootDirectory: string, fileSizes: readonly number[]): EspSpace {
  const { bavail, bsize } = statfsSync(bootDirectory);
  const clusters = fileSizes.reduce((sum, sizeBytes) => sum + Math.ceil(sizeBytes / bsize), SPARE_CLUSTERS);
  return { freeBytes: bavail * bsize, neededBytes: clusters * bsize };
}

/** @throws SealrootError `no-space` naming both numbers */
export function checkEspSpace(bootDirectory: string, fileSizes: readonly number[]): void {
  const { freeBytes, neededBytes } = espSpace(bootDirectory, fileSizes);
  if (freeBytes >= neededBytes) return;
  const what = `Cannot write the boot files: ${formatSize(neededBytes)} needed, ${formatSize(freeBytes)} free on the ESP`;
  throw new SealrootError("no-space", what, {
    expected: String(neededBytes),
    actual: String(freeBytes),
    hint: "see what it holds with sealroot status; sealroot delete-deployment ID frees what a deployment has there",
  });
}
