/** What writers and readers of objects must know about the repository. Plain data: it is sent to worker threads. */
import { DIGEST_BYTES, type VerityAlgorithm } from "../verity/index.ts";

/**
 * How objects are protected:
 * - `secure`: fs-verity by the kernel on every object; one without it, or with another digest, is refused.
 * - `insecure`: fs-verity if the file system has it, otherwise names are trusted (spec/repository.md 3.3).
 * - `offline`: a repository being staged for a disk image: each file carries its verity metadata after its data, as
 *   ext4 stores them (spec/boot-chain.md A), and becomes a verity file when `disk/` sets size and flag.
 */
export type Protection = "secure" | "insecure" | "offline";

export interface ObjectSettings {
  /** The directory `objects` of the repository, an absolute path. */
  readonly directory: string;
  readonly algorithm: VerityAlgorithm;
  readonly protection: Protection;
}

/** Path of the object's file. */
export function objectFilePath(settings: ObjectSettings, objectId: string): string {
  // join() would normalize the whole path again, 2 us for each of the calls a stored object takes.
  return `${settings.directory}/${objectId.slice(0, 2)}/${objectId.slice(2)}`;
}

/** Length of an object's file name below its two-digit directory. */
export function objectFileNameLength(algorithm: VerityAlgorithm): number {
  return 2 * (DIGEST_BYTES[algorithm] - 1);
}
