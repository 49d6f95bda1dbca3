/** Checking an outgoing tar stream. */
import { DigestCheck } from "../../oci/index.ts";

/**
 * Passes a tar stream on and checks it.
 * @throws SealrootError `corrupt` at the end when it does not match the diff id
 */
export async function* checkedDiffId(tar: AsyncIterable<Uint8Array>, diffId: string): AsyncGenerator<Uint8Array> {
  const check = new DigestCheck(diffId);
  for await (const part of tar) {
    check.update(part);
    yield part;
  }
  check.finish("the unpacked tar");
}
