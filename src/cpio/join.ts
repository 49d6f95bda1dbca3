/** Joining two initramfs files into one. */
import { alignUp } from "../bytes/index.ts";

/** lz4's legacy format has no end mark: with fewer than 4 zeros after it what follows is lost; 8 are safe for all. */
const GAP_MIN_BYTES = 8;

/**
 * `base`, zeros, `extension`: the extension begins at a multiple of 4 and at least 8 zeros after the base
 * (spec/boot-chain.md G "Joining rules"). The kernel unpacks both, in this order.
 */
export function joinInitramfs(base: Uint8Array, extension: Uint8Array): Uint8Array {
  const offset = alignUp(base.length + GAP_MIN_BYTES, 4);
  const joined = new Uint8Array(offset + extension.length);
  joined.set(base);
  joined.set(extension, offset);
  return joined;
}
