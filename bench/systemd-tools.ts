/** ukify and systemd-repart of Debian 13, as programs of this machine: systemd of Debian 12 has neither without root. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../test/guest/base.ts";
import { unpackDebianTree } from "../test/guest/debian-tree.ts";
import { makeOnce } from "../test/guest/made-once.ts";

const PACKAGES = ["systemd-repart", "systemd-ukify"];
const LIBRARIES = "usr/lib/x86_64-linux-gnu";

/**
 * Makes the packages' tree in the cache (10 s, 70 MB), and beside it one script a program, which starts it with the libraries
 * of the tree.
 * @returns the directory of the scripts
 * @throws SealrootError where the packages cannot be had
 */
export async function makeSystemdTools(): Promise<string> {
  const key = createHash("sha256").update(PACKAGES.join(" ")).digest("hex").slice(0, 16);
  const directory = join(cacheDirectory(), `bench-tools-${key}`);
  await makeOnce(directory, async (made, work) => {
    const [tree, scripts] = [join(made, "tree"), join(made, "bin")];
    await Promise.all([mkdir(tree), mkdir(scripts)]);
    await unpackDebianTree(PACKAGES, work, tree);
    await writeFile(join(scripts, "systemd-repart"), script("usr/bin/systemd-repart"), { mode: 0o755 });
    await writeFile(join(scripts, "ukify"), script("usr/bin/python3", "usr/bin/ukify"), { mode: 0o755 });
  });
  return join(directory, "bin");
}

/** Programs that these start are the machine's own: the libraries are given to the loader, not to the environment. */
function script(...programs: readonly string[]): string {
  return [
    "#!/bin/sh",
    'tree=$(dirname "$(dirname "$(readlink -f "$0")")")/tree',
    `export PYTHONHOME="$tree/usr"`,
    `exec "$tree/${LIBRARIES}/ld-linux-x86-64.so.2" --library-path "$tree/${LIBRARIES}:$tree/${LIBRARIES}/systemd" \\`,
    `  ${programs.map((path) => `"$tree/${path}"`).join(" ")} "$@"`,
    "",
  ].join("\n");
}
