import { writeErofs } from "../../src/erofs/index.ts";
import { newDirectory, newMetadata } from "../../src/tree/index.ts";

/** A root image that is valid in itself and not the sealed one: an empty directory. */
export function otherImage(): Uint8Array {
  return writeErofs(newDirectory(newMetadata({ mode: 0o755 })), { form: "v1", algorithm: "sha512" });
}
