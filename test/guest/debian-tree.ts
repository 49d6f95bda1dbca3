/** Trees of Debian packages that are only unpacked, from the archive that the machine's own apt uses. */
import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../src/platform/index.ts";

/** Left out: nobody reads them there. */
const UNWANTED = ["./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./dev/*"];

/**
 * Unpacks packages of trixie and what they depend on. Nothing is configured, so no chroot and no privilege is needed.
 *
 * @param work a directory for the archive meanwhile
 * @param tree an empty directory
 */
export async function unpackDebianTree(packages: readonly string[], work: string, tree: string): Promise<void> {
  const archive = join(work, "packages.tar");
  const options = ["--variant=extract", "--mode=chrootless", '--aptopt=Apt::Install-Recommends "false"'];
  await runTool("mmdebstrap", [...options, `--include=${packages.join(",")}`, "trixie", archive]);
  const exclusions = UNWANTED.map((pattern) => `--exclude=${pattern}`);
  await runTool("tar", ["-xf", archive, "-C", tree, "--no-same-owner", ...exclusions]);
  // base-files makes these links when it is configured.
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    if (!existsSync(join(tree, name))) await symlink(`usr/${name}`, join(tree, name));
  }
}
