/** QuickJS as one static program, built of Debian's source package, for images that have none: `--boot-program`. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../../src/platform/index.ts";
import { cacheDirectory } from "../../guest/base.ts";

const BUILD = `set -eu
chroot "$1" sh -euc 'cd /tmp
  apt-get source --download-only quickjs
  dpkg-source --extract quickjs_*.dsc source
  make --directory source LDEXPORT=-static qjs
  strip source/qjs'
`;

/** Brings its path from the cache, or builds it: a bootstrap and a minute of compiling. */
export async function staticQuickJs(): Promise<string> {
  const directory = join(cacheDirectory(), "static-quickjs");
  const path = join(directory, "qjs");
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  const sources = ["deb", "deb-src"].map((kind) => `${kind} http://deb.debian.org/debian trixie main`);
  await runTool("mmdebstrap", [
    "--format=null",
    "--variant=apt",
    '--aptopt=Apt::Install-Recommends "false"',
    "--include=gcc,libc6-dev,make,dpkg-dev",
    `--customize-hook=${BUILD}`,
    `--customize-hook=copy-out /tmp/source/qjs ${directory}`,
    "trixie",
    "-",
    ...sources,
  ]);
  return path;
}
