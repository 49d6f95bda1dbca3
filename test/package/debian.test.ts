import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeDebianPackage } from "../../scripts/package/debian.ts";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { EPOCH_SECONDS, exampleToSeal } from "./built.ts";

/** What a host may be asked for (docs/architecture.md). */
const INSTALLED_MAX_BYTES = 140_000_000;
const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";
/** A fresh system is downloaded, and an image sealed and installed in it: 60 s on an idle machine. */
const TIMEOUT_MS = 600_000;

/** Runs in the fresh system, as its root. What it prints is in the file /work/result. */
const INSIDE = `set -eu
cd /work
exec >/work/result
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends /work/sealroot.deb >&2
test "$(readlink -f /usr/bin/sealroot)" = /usr/lib/sealroot/bin/sealroot
sealroot --version
test -s /usr/share/bash-completion/completions/sealroot
test -s /usr/share/man/man1/sealroot-seal.1.gz
sealroot seal oci:/work/debian:latest -o oci:/work/sealed:latest --keys /work/keys --json >seal.json
sealroot install to-disk disk.img --size 3G --source-imgref oci:/work/sealed:latest --target-imgref localhost/os:1 --json >install.json
test "$(stat -c %s disk.img)" = 3221225472
dpkg-query --show --showformat '\${Installed-Size}\\n' sealroot
sed -n 's/.*"digest": *"\\(sha256:[0-9a-f]*\\)".*/\\1/p' sealed/index.json | head -n 1
`;

test(
  "the Debian package installs in a fresh Debian 13, and seals and installs there",
  { timeout: TIMEOUT_MS },
  async () => {
    using work = temporaryDirectory({ parent: "/var/tmp", purpose: "test" });
    const program = join(work.path, "program");
    await makeProgramFolder(program, ARCHITECTURE);
    const packaged = await makeDebianPackage(program, work.path, ARCHITECTURE, EPOCH_SECONDS);

    const example = await exampleToSeal();
    const [script, result] = [join(work.path, "inside.sh"), join(work.path, "result")];
    writeFileSync(script, INSIDE);
    await runTool(
      "mmdebstrap",
      [
        ...["--quiet", "--format=null", "--variant=apt", "--include=e2fsprogs,dosfstools,mtools,fdisk,xz-utils"],
        '--customize-hook=mkdir -p "$1/work/keys" "$1/work/debian"',
        `--customize-hook=upload ${packaged} /work/sealroot.deb`,
        `--customize-hook=upload ${script} /work/inside.sh`,
        `--customize-hook=sync-in ${example.keysDirectory} /work/keys`,
        `--customize-hook=sync-in ${example.image.directory} /work/debian`,
        `--customize-hook=chroot "$1" env SOURCE_DATE_EPOCH=${example.env.SOURCE_DATE_EPOCH} sh /work/inside.sh`,
        `--customize-hook=download /work/result ${result}`,
        ...["trixie", "/dev/null"],
      ],
      { timeoutMs: TIMEOUT_MS },
    );
    const lines = readFileSync(result, "utf8").trim().split("\n");
    assert.match(lines[0] ?? "", /^sealroot \d+\.\d+\.\d+$/);
    assert.ok(Number(lines[1]) * 1024 < INSTALLED_MAX_BYTES, `${lines[1]} KiB are installed`);
    assert.equal(lines[2], example.sealedDigest);
  },
);
