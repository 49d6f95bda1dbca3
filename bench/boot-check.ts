/**
 * The boot program's search for every object, as it runs in the initramfs: by the image's QuickJS, with its libraries.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { toHex } from "../src/bytes/index.ts";
import { ELF_MACHINE } from "../src/elf/index.ts";
import { readBootProgram } from "../src/seal/initramfs/boot-program.ts";
import { machineCodePrograms } from "../src/seal/initramfs/machine-code/index.ts";
import { verityDigest } from "../src/verity/index.ts";
import type { Command } from "./measure.ts";

export const BOOT_OBJECTS = 20_000;

/** In the initramfs the program's files are at fixed places; here they are below the scratch directory. */
const driver = (folder: string) => `
import { checkObjects } from "./initramfs/check-objects.ts";
import { quickJsSystem } from "./initramfs/quickjs-system.ts";
const run = ([, objects]) => quickJsSystem.run(["${folder}/lookup", objects, "${folder}/list"]);
checkObjects({ ...quickJsSystem, run }, "${folder}/objects");
std.exit(0);
`;

/**
 * Makes a store of objects and everything the check needs.
 * @param tree an unpacked Debian with QuickJS
 */
export async function bootCheckCommand(tree: string, scratch: string): Promise<Command> {
  const folder = join(scratch, "boot-check");
  const ids = Array.from({ length: BOOT_OBJECTS }, (_, index) =>
    verityDigest(Buffer.from(`object ${index}`), "sha512"),
  );
  for (let byte = 0; byte < 256; byte++) {
    mkdirSync(join(folder, "objects", toHex(Uint8Array.of(byte))), { recursive: true });
  }
  for (const id of ids) writeFileSync(join(folder, "objects", id.slice(0, 2), id.slice(2)), "content");
  writeFileSync(join(folder, "list"), Buffer.from(ids.sort().join(""), "hex"));
  writeFileSync(join(folder, "lookup"), machineCodePrograms(ELF_MACHINE.x86_64).lookup, { mode: 0o755 });
  for (const { path, source } of await readBootProgram()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), source);
  }
  const main = join(folder, "driver.js");
  writeFileSync(main, driver(folder));
  return {
    program: join(tree, "usr/lib64/ld-linux-x86-64.so.2"),
    args: [
      ...["--library-path", join(tree, "usr/lib/x86_64-linux-gnu"), join(tree, "usr/bin/qjs"), "--std", "-m", main],
    ],
  };
}
