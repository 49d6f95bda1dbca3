/**
 * The objects of the root image, as the signed initramfs lists them. A missing object is not a read error: the file is
 * absent, and a unit or a firewall rule is silently switched off. So all are looked for before the root is made
 * (docs/filesystem.md, "Every object is looked for").
 */
import { SealrootError } from "../errors/index.ts";

/** Objects of sealed images are named by SHA-512. */
export const OBJECT_ID_BYTES = 64;

/** How many missing objects a message names. */
const NAMED_MAX = 3;

/** Path of an object by its id in binary, in the physical root. */
function objectPath(id: Uint8Array): string {
  const hex = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `/composefs/objects/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/**
 * Judges the findings of the program that looks for the objects.
 *
 * @param missing binary ids of objects that are not there as plain files, concatenated
 * @param totalCount how many were looked for
 * @throws SealrootError `untrusted` naming the first that are missing
 */
export function judgeObjects(missing: Uint8Array, totalCount: number): void {
  const count = missing.length / OBJECT_ID_BYTES;
  if (count === 0) return;
  const named = Array.from({ length: Math.min(Math.ceil(count), NAMED_MAX) }, (_, index) =>
    objectPath(missing.subarray(index * OBJECT_ID_BYTES, (index + 1) * OBJECT_ID_BYTES)),
  );
  const [first, ...others] = named;
  const also = [...others, ...(count > NAMED_MAX ? ["…"] : [])];
  throw new SealrootError(
    "untrusted",
    `Cannot use the root image: ${count} of its ${totalCount} objects ${count === 1 ? "is" : "are"} missing`,
    {
      path: `${first} on the physical root`,
      ...(also.length > 0 && { actual: `also missing: ${also.join(", ")}` }),
      hint: "repair the disk from another system, by sealroot repo fsck --repair --from IMAGE or by installing again",
    },
  );
}
