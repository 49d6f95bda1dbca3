/**
 * repositories.ts with fs-verity on every object, in the guest of test/guest: cfsctl measures what was stored here, and the
 * other way round. Not part of `./just test`, since the tool is not everywhere.
 *
 *     node test/interop/secure-repositories.ts CFSCTL [CASE…]
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { makeExt4 } from "../guest/base.ts";
import { startGuest } from "../guest/fixture.ts";

const [cfsctl, ...cases] = process.argv.slice(2);
if (cfsctl === undefined) throw new Error("Usage: node test/interop/secure-repositories.ts CFSCTL [CASE...]");
/** The guest has these, and they fit only each other. */
const OWN_LIBRARIES = /^(?:libc|libm)\.so|^ld-linux/;
const TIMEOUT_MS = 30 * 60_000;

/** A disk with the tool and the libraries that it is linked to. */
async function makeToolDisk(tool: string, directory: string): Promise<string> {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  const { stdout } = await runTool("ldd", [tool]);
  const libraries = [...stdout.toString().matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? "");
  for (const path of libraries.filter((each) => !OWN_LIBRARIES.test(basename(each)))) {
    copyFileSync(path, join(tree, basename(path)));
  }
  copyFileSync(tool, join(tree, "cfsctl"));
  const disk = join(directory, "tools.img");
  await makeExt4(disk, "128M", tree);
  return disk;
}

using work = temporaryDirectory({ purpose: "interop" });
const guest = await startGuest({}, await makeToolDisk(cfsctl, work.path));
try {
  const script = [
    "mkdir -p /run/tools && mount -t ext4 -o ro /dev/vdc /run/tools",
    "export TMPDIR=/scratch LD_LIBRARY_PATH=/run/tools",
    `exec node test/interop/repositories.ts /run/tools/cfsctl secure ${cases.join(" ")}`,
  ];
  const { exitCode, stdout, stderr } = await guest.run(script.join("\n"), TIMEOUT_MS);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = exitCode;
} finally {
  await guest.stop();
}
