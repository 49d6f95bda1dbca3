/** Judging what the kernel says about the root image (spec/host-boot.md 5 step 4). */
import type { ComposefsArgument } from "../bls/composefs-argument.ts";
import { SealrootError } from "../errors/index.ts";

/** What FS_IOC_MEASURE_VERITY said about the opened image. */
export type Measurement =
  | { readonly type: "digest"; readonly algorithm: string; readonly hex: string }
  /** No fs-verity on the file, or none in the file system; `errno` says which. */
  | { readonly type: "none"; readonly errno: number };

/** errno of "not enabled on this file" and "not possible here" (fsverity.rst, FS_IOC_MEASURE_VERITY). */
const ENODATA = 61;
const WITHOUT_VERITY: ReadonlyMap<number, string> = new Map([
  [ENODATA, "the file has no fs-verity digest"],
  [25, "the file system has no fs-verity"],
  [95, "fs-verity is not enabled in the file system"],
]);

/** Hash algorithm numbers of linux/fsverity.h. */
const ALGORITHM_NAMES = ["", "sha256", "sha512"];

/**
 * Reads `struct fsverity_digest` (algorithm u16, size u16, digest) as printed by the measuring program, or the errno it
 * ended with.
 */
export function parseMeasurement(status: number, output: Uint8Array): Measurement {
  if (status !== 0) return { type: "none", errno: status };
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength);
  if (output.length < 4 || output.length !== 4 + view.getUint16(2, true)) {
    throw new SealrootError("failed", `Cannot measure the root image: an answer of ${output.length} bytes`);
  }
  const number = view.getUint16(0, true);
  const hex = [...output.subarray(4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { type: "digest", algorithm: ALGORITHM_NAMES[number] ?? `hash ${number}`, hex };
}

/**
 * Decides whether the image may become the root.
 *
 * @param path of the image, for the message
 * @returns true when fs-verity vouches for it, so the overlay must require fs-verity for every object; false only for
 *   `composefs=?` and an image without fs-verity
 * @throws SealrootError `untrusted` with expected and found digest. What the repository says about itself does not
 *   matter (spec/host.md weakness 27)
 */
export function judgeMeasurement(image: ComposefsArgument, measurement: Measurement, path: string): boolean {
  const expected = `${image.algorithm}:${image.id}`;
  if (measurement.type === "digest") {
    const actual = `${measurement.algorithm}:${measurement.hex}`;
    if (actual === expected) return true;
    throw new SealrootError("untrusted", "Cannot use the root image: its fs-verity digest is a different one", {
      path,
      expected,
      actual,
    });
  }
  const reason = WITHOUT_VERITY.get(measurement.errno);
  if (reason !== undefined && image.verityOptional) return false;
  throw new SealrootError("untrusted", "Cannot use the root image: fs-verity does not vouch for it", {
    path,
    expected,
    actual: reason ?? `measuring failed with error ${measurement.errno}`,
  });
}
