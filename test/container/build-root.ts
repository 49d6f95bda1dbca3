/** A root file system as a container build has it, and the image that is made of it. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";
import { RELEASE } from "../seal/initramfs/made-image.ts";
import { sealableRoot, writeLayout } from "../seal/sealable-image.ts";

export { RELEASE } from "../seal/initramfs/made-image.ts";

export interface BuildRoot extends Disposable {
  readonly root: string;
  /** Writes the image of what is there now. @returns its reference */
  layout(path: string): Promise<string>;
}

/**
 * @param time that everything gets, as touch(1) reads it; that of now, with its fractions, if absent
 */
export async function buildRoot(time?: string): Promise<BuildRoot> {
  const { root, remove } = await sealableRoot();
  writeFileSync(join(root, "usr/lib/modules", RELEASE, "initramfs.img"), bootcInitramfs());
  if (time !== undefined) execFileSync("find", [root, "-exec", "touch", "--no-dereference", "--date", time, "{}", "+"]);
  return { root, layout: (path) => writeLayout(root, path), [Symbol.dispose]: () => remove() };
}

/** An initramfs as far as anybody looks into it: bootc's program is there. */
function bootcInitramfs(): Uint8Array {
  const file = (path: string) =>
    ({ kind: "file", path: byteStringOfText(path), mode: 0o755, bytes: Buffer.from("x") }) as const;
  return writeCpio([file("usr/lib/bootc/initramfs-setup")]);
}
