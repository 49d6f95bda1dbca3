/** How this program identifies itself to registries. */
import { programVersion } from "../platform/index.ts";

/** `sealroot/VERSION` */
export function userAgent(): string {
  return `sealroot/${programVersion()}`;
}
