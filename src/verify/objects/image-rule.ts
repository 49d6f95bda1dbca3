/** By which rule an image was made, as its tree shows (spec/upstream-1.17.md 2a). */
import type { ByteString } from "../../bytes/index.ts";
import { compositionOf } from "../../compare/index.ts";
import type { ErofsImage } from "../../erofs/index.ts";
import { describeBootImage } from "../../imagestore/index.ts";
import type { DirectoryNode } from "../../tree/index.ts";

/** In words. */
export function ruleOf({ root, version }: Pick<ErofsImage, "root" | "version">): string {
  const composition = compositionOf(root);
  if (composition.stage !== "boot") return `version ${version}, not composed as an image that is booted`;
  const times = hasFraction(root) ? "" : ", whole seconds, so that both rules for times give it";
  return `made by the rule: ${describeBootImage({ ...composition, version })}${version === 2 ? "" : times}`;
}

function hasFraction(root: DirectoryNode): boolean {
  const usr = root.entries.get("usr" as ByteString);
  return usr !== undefined && usr.metadata.mtimeNanoseconds !== 0;
}
