/** `container export`, read back by GNU tar. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, test } from "node:test";
import { extract } from "tar-stream";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { setXattr } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "sealroot-export-"));
  root = join(scratch, "root");
  mkdirSync(root);
});
afterEach(() => rmSync(scratch, { recursive: true }));

function put(path: string, content = "x"): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const tarFile = () => join(scratch, "out.tar");

async function exported(...words: string[]): Promise<string[]> {
  const { exitCode, out, err } = await run("container", "export", ...words, "-o", tarFile(), root);
  assert.deepEqual([exitCode, out, err], [0, "", ""]);
  return execFileSync("tar", ["--list", "--file", tarFile()], { encoding: "utf8" }).split("\n").slice(0, -1);
}

/** Read by tar-stream. */
async function labelsIn(path: string): Promise<Map<string, string | undefined>> {
  const labels = new Map<string, string | undefined>();
  const entries = extract();
  entries.on("entry", (header, body, next) => {
    const pax = (header.pax ?? {}) as Readonly<Record<string, string>>;
    labels.set(header.name, pax["SCHILY.xattr.security.selinux"]);
    body.on("end", next).resume();
  });
  await pipeline(createReadStream(path), entries);
  return labels;
}

const POLICY = `/.*	system_u:object_r:default_t:s0
/usr(/.*)?	system_u:object_r:usr_t:s0
/usr/bin/.*	--	system_u:object_r:bin_t:s0
/home(/.*)?	<<none>>
`;

test("what only a running system has is left out; links, times and modes stay", async () => {
  put("usr/bin/tool", "program");
  linkSync(join(root, "usr/bin/tool"), join(root, "usr/bin/tool2"));
  symlinkSync("tool", join(root, "usr/bin/link"));
  for (const path of ["tmp/a/b", "var/tmp/rhc", "var/lib/kept", "sysroot/ostree/repo/x", "sysroot/kept", "tmpfile"])
    put(path);
  execFileSync("touch", ["--date", "2024-02-03 04:05:06.5 +0000", join(root, "usr/bin/tool")]);
  const names = await exported();
  assert.deepEqual(names, [
    ...["sysroot/", "sysroot/kept", "tmpfile", "usr/", "usr/bin/", "usr/bin/link", "usr/bin/tool", "usr/bin/tool2"],
    ...["var/", "var/lib/", "var/lib/kept"],
  ]);
  mkdirSync(join(scratch, "back"));
  execFileSync("tar", ["--extract", "--file", tarFile(), "--directory", join(scratch, "back")]);
  const [tool, tool2] = ["tool", "tool2"].map((name) =>
    statSync(join(scratch, "back/usr/bin", name), { bigint: true }),
  );
  assert.equal(tool?.ino, tool2?.ino);
  assert.equal(tool?.mtimeNs, 1706933106_500000000n);
  assert.equal(readFileSync(join(scratch, "back/usr/bin/link"), "utf8"), "program");
  assert.deepEqual(readdirSync(scratch).sort(), ["back", "out.tar", "root"]);
});

test("labels are those of the image's policy, and --disable-selinux leaves them out", async () => {
  put("etc/selinux/config", "SELINUXTYPE=targeted\n");
  put("etc/selinux/targeted/contexts/files/file_contexts", POLICY);
  put("etc/selinux/targeted/contexts/files/file_contexts.subs_dist", "/opt /usr\n");
  put("usr/bin/tool");
  put("opt/bin/other");
  put("home/someone");
  await exported();
  const labels = await labelsIn(tarFile());
  const labelOf = (path: string) => labels.get(path);
  assert.equal(labelOf("usr/"), "system_u:object_r:usr_t:s0");
  assert.equal(labelOf("usr/bin/tool"), "system_u:object_r:bin_t:s0");
  assert.equal(labelOf("opt/bin/other"), "system_u:object_r:bin_t:s0");
  assert.equal(labelOf("home/someone"), undefined);
  await exported("--disable-selinux");
  assert.ok(!readFileSync(tarFile()).includes("security.selinux"));
});

test("--kernel-in-boot adds the kernel where installers look, not for a UKI", async () => {
  put("usr/lib/modules/6.1/vmlinuz", "kernel");
  put("usr/lib/modules/6.1/initramfs.img", "initramfs");
  const names = await exported("--kernel-in-boot");
  assert.deepEqual(names.slice(-4), ["boot/", "boot/grub2/", "boot/vmlinuz-6.1", "boot/initramfs-6.1.img"]);
  const kernel = execFileSync("tar", ["-xOf", tarFile(), "boot/vmlinuz-6.1"], { encoding: "utf8" });
  assert.equal(kernel, "kernel");
  put("boot/EFI/Linux/os.efi");
  assert.deepEqual((await exported("--kernel-in-boot")).slice(-2), ["boot/", "boot/grub2/"]);
});

test("a capability is kept", { skip: process.getuid?.() !== 0 && "only root sets one" }, async () => {
  put("usr/bin/ping");
  const value = Buffer.from("0100000200200000000000000000000000000000", "hex");
  setXattr(join(root, "usr/bin/ping"), byteStringOfText("security.capability"), value);
  await exported();
  assert.ok(readFileSync(tarFile()).includes("SCHILY.xattr.security.capability="));
});

test("a pipe is refused, nothing is left; so is an output inside the tree", async () => {
  put("usr/a");
  execFileSync("mkfifo", [join(root, "usr/pipe")]);
  const refused = await run("container", "export", "-o", tarFile(), root);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.err, /Unsupported file type: \/usr\/pipe/);
  assert.ok(!existsSync(tarFile()));
  assert.deepEqual(readdirSync(scratch), ["root"]);
  const inside = await run("container", "export", "-o", join(root, "usr/out.tar"), root);
  assert.match(inside.err, /it would be inside the root file system that it holds/);
});

test("the same bytes go to standard output", async () => {
  put("usr/a", "y".repeat(100_000));
  await exported();
  const main = join(import.meta.dirname, "../../src/cli/main.ts");
  const { stdout, status } = spawnSync(process.execPath, [main, "container", "export", root], { maxBuffer: 1 << 24 });
  assert.equal(status, 0);
  assert.ok(stdout.equals(readFileSync(tarFile())));
});
