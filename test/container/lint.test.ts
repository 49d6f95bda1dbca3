/** `container lint`: each lint finds what it is for and nothing in an image that is right. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { parse } from "yaml";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { LINTS, RootDirectory, runLints } from "../../src/container/index.ts";
import { run } from "../cli/run-verb.ts";
import { type BuildRoot, buildRoot, RELEASE } from "./build-root.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-lint-"));
after(() => rmSync(scratch, { recursive: true }));

/** The lints of bootc 1.17, spec/host-build.md 1. */
const BOOTC = [
  ...["api-base-directories", "baseimage-composefs", "baseimage-root", "bootc-kargs", "buildah-injected", "etc-usretc"],
  ...["kernel", "nonempty-boot", "nonempty-run-tmp", "sysusers", "utf8", "var-log", "var-run", "var-tmpfiles"],
];
/** Not for the directory that is looked at: those of ostree, and the one for a running container. */
const SKIPPED = 3;

let build: BuildRoot;
let root: string;
beforeEach(async () => {
  build = await buildRoot("@1700000000");
  root = build.root;
  for (const name of ["dev", "proc", "sys", "run", "tmp"]) mkdirSync(join(root, name));
});
afterEach(() => build[Symbol.dispose]());

function put(path: string, content: string | Uint8Array = "x"): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const lint = (...words: string[]) => run("container", "lint", "--rootfs", root, ...words);

/** The findings of one lint. */
async function found(name: string): Promise<string | undefined> {
  const { out } = await lint("--json", "--no-truncate");
  const { findings } = JSON.parse(out);
  return findings.find((finding: { name: string }) => finding.name === name)?.message;
}

test("an image that is right passes all that are for it", async () => {
  const passed = LINTS.length - SKIPPED;
  const { exitCode, out, err } = await lint("--fatal-warnings");
  assert.deepEqual([exitCode, out, err], [0, `Checks passed: ${passed}\nChecks skipped: ${SKIPPED}\n`, ""]);
});

test("the list has every lint of bootc, and ours, as YAML", async () => {
  const { out } = await lint("--list");
  const list: { name: string; type: string; description: string }[] = parse(out);
  assert.deepEqual(
    list.map(({ name }) => name),
    LINTS.map(({ name }) => name),
  );
  assert.deepEqual(
    list.map(({ name }) => name).filter((name) => !name.startsWith("seal-")),
    BOOTC,
  );
  const fatal = list.filter(({ type, name }) => type === "fatal" && !name.startsWith("seal-")).map(({ name }) => name);
  assert.deepEqual(fatal, [
    ...["api-base-directories", "baseimage-root", "bootc-kargs", "etc-usretc", "kernel", "utf8", "var-run"],
  ]);
  assert.ok(list.every(({ description }) => description.length > 40));
});

test("findings, counts and exit codes are as bootc prints them", async () => {
  put("var/log/a.log");
  put("var/log/b/c.log");
  put("var/log/empty.log", "");
  const warned = await lint();
  const passed = LINTS.length - SKIPPED - 1;
  const text = "Lint warning: var-log: Found logs that are not empty:\n  /var/log/a.log\n  /var/log/b/c.log\n\n";
  const counts = `Checks passed: ${passed}\nChecks skipped: ${SKIPPED}\nWarnings: 1\n`;
  assert.deepEqual([warned.exitCode, warned.out, warned.err], [0, text + counts, ""]);
  const fatal = await lint("--fatal-warnings");
  assert.deepEqual([fatal.exitCode, fatal.out, fatal.err], [1, text + counts, "sealroot: Checks failed: 1\n"]);
  put("var/run/x");
  const both = await lint();
  assert.equal(both.exitCode, 1);
  assert.match(both.out, /^Failed lint: var-run: Not a symbolic link: \/var\/run$/m);
  assert.equal(both.err, "sealroot: Checks failed: 1\n");
  const skipped = await lint("--skip", "var-run", "--skip", "var-log", "--skip", "of-the-future");
  assert.equal(skipped.exitCode, 0);
  assert.match(skipped.err, /There is no lint of-the-future/);
  assert.match(skipped.out, new RegExp(`^Checks skipped: ${SKIPPED + 2}$`, "m"));
});

test("long lists are cut to five, unless --no-truncate", async () => {
  for (let index = 0; index < 7; index++) put(`var/log/${index}.log`);
  assert.match((await lint()).out, /\n {2}\/var\/log\/4\.log\n {2}\.\.\.and 2 more\n/);
  assert.match((await lint("--no-truncate")).out, /\n {2}\/var\/log\/6\.log\n\n/);
});

const CASES: readonly { readonly lint: string; readonly make: () => void; readonly message: RegExp }[] = [
  {
    lint: "api-base-directories",
    make: () => rmSync(join(root, "proc"), { recursive: true }),
    message: /Missing .*: \/proc$/,
  },
  { lint: "bootc-kargs", make: () => put("usr/lib/bootc/kargs.d/1.toml", "kargs ="), message: /kargs\.d\/1\.toml/ },
  { lint: "buildah-injected", make: () => put("etc/resolv.conf", ""), message: /^\/etc\/resolv\.conf is empty/ },
  { lint: "etc-usretc", make: () => put("usr/etc/x"), message: /Found \/usr\/etc beside \/etc/ },
  {
    lint: "kernel",
    make: () => put("usr/lib/modules/6.0/vmlinuz"),
    message: /several kernels .*: 6\.0, 6\.12\.1-test/,
  },
  { lint: "nonempty-boot", make: () => put("boot/a b"), message: /Found files in \/boot:\n {2}'a b'\n/ },
  { lint: "nonempty-run-tmp", make: () => put("run/dnf/x"), message: /:\n {2}\/run\/dnf\n {2}\/run\/dnf\/x\n/ },
  { lint: "var-run", make: () => mkdirSync(join(root, "var/run")), message: /Not a symbolic link/ },
  {
    lint: "seal-command-line",
    make: () => put("usr/lib/bootc/kargs.d/1.toml", 'kargs = ["rd.break"]'),
    message: /"rd\.break" lets a boot end in a shell/,
  },
  {
    lint: "seal-contents",
    make: () => rmSync(join(root, "usr/lib/systemd/boot"), { recursive: true }),
    message: /no systemd-boot .*; install the package/,
  },
];

for (const { lint: name, make, message } of CASES) {
  test(`${name} finds what it is for`, async () => {
    assert.equal(await found(name), undefined);
    make();
    assert.match((await found(name)) ?? "", message);
  });
}

test("what container engines put into /run is no finding, unless something else is beside it", async () => {
  put("run/systemd/resolve/stub-resolv.conf");
  assert.equal(await found("nonempty-run-tmp"), undefined);
  put("run/systemd/other");
  const message = await found("nonempty-run-tmp");
  assert.equal(message, "Found files in /run or /tmp:\n  /run/systemd\n  /run/systemd/other\n");
});

test("utf8 names the directory and the name, and a link's target", async () => {
  const bad = Buffer.from(join(root, "usr/bad\xffdir"), "latin1");
  mkdirSync(bad);
  assert.equal(await found("utf8"), '/usr: Found non-utf8 filename "bad\\xFFdir"');
  rmSync(bad, { recursive: true });
  symlinkSync(Buffer.from("\xe9", "latin1"), join(root, "usr/link"));
  assert.equal(await found("utf8"), "/usr/link: Found non-utf8 symlink target");
});

test("sysusers finds users and groups that only /etc has", async () => {
  put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nown:x:990:990::/:/bin/false\n+nis::::::\n");
  put("etc/group", "root:x:0:\nown:x:990:\nwheel:x:10:own\n");
  put("usr/lib/sysusers.d/basic.conf", '# comment\nu! root 0 "Super User" /root\nm own wheel\n');
  const wanted = `Found users of /etc/passwd that no sysusers.d declares:
  own
Found groups of /etc/group that no sysusers.d declares:
  own
  wheel
`;
  assert.equal(await found("sysusers"), wanted);
  put("usr/lib/sysusers.d/own.conf", "u own -\ng wheel 10\n");
  assert.equal(await found("sysusers"), undefined);
  put("etc/passwd", "broken\n");
  assert.match((await found("sysusers")) ?? "", /Cannot read \/etc\/passwd: line 1 has 1 fields, 7 expected/);
});

test("var-tmpfiles finds what no tmpfiles.d makes; links on the way to a declared path are followed", async () => {
  put("var/lib/app/data");
  mkdirSync(join(root, "var/roothome/.ssh"), { recursive: true });
  chmodSync(join(root, "var/roothome"), 0o700);
  symlinkSync("var/roothome", join(root, "root"));
  symlinkSync("../run", join(root, "var/run"));
  put("etc/passwd", `me:x:${process.getuid?.()}:0:::\n`);
  put("etc/group", `us:x:${process.getgid?.()}:\n`);
  put(
    "usr/lib/tmpfiles.d/a.conf",
    'd /var/lib 0755 - - -\n  d "/root/.ssh" 0700\nL /var/run - - - - ../run\n# d /var/x\n',
  );
  const context = {
    directory: new RootDirectory(root),
    rootType: "running",
    backend: "composefs",
    itemsMax: 5,
  } as const;
  const lints = LINTS.filter(({ name }) => name === "var-tmpfiles");
  const { findings } = await runLints(lints, context, new Set());
  const wanted = `Found content of /var that no tmpfiles.d declares:
  d /var/lib/app 0755 me us - -
  d /var/roothome 0700 me us - -
Found files in /var that are neither directories nor links:
  var/lib/app/data
`;
  assert.deepEqual(findings, [{ name: "var-tmpfiles", type: "warning", message: wanted }]);
});

test("the demands of ostree are for images with its configuration alone", async () => {
  put("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled = false\n");
  assert.match((await found("baseimage-composefs")) ?? "", /prepare-root\.conf does not switch composefs on$/);
  assert.equal(await found("baseimage-root"), "Missing link /ostree to sysroot/ostree");
  assert.equal(await found("seal-contents"), undefined);
  put("etc/ostree/prepare-root.conf", "[root]\ntransient = true\n");
  symlinkSync("sysroot/ostree", join(root, "ostree"));
  assert.deepEqual([await found("baseimage-composefs"), await found("baseimage-root")], [undefined, undefined]);
  mkdirSync(join(root, "usr/share/doc/bootc/baseimage/base"), { recursive: true });
  assert.match((await found("baseimage-root")) ?? "", /^Missing directory \/sysroot \(in \/usr\/share\/doc/);
});

test("seal-initramfs wants something that makes the root", async () => {
  rmSync(join(root, "usr/bin/qjs"));
  assert.equal(await found("seal-initramfs"), undefined, "bootc's program is in the initramfs");
  rmSync(join(root, "usr/lib/modules", RELEASE, "initramfs.img"));
  assert.match((await found("seal-initramfs")) ?? "", /qjs/);
});

test("seal-state names a file that no disk can hold", async () => {
  const directory = new RootDirectory(root);
  const node = directory.lookUp("/etc/hostname");
  assert.ok(node !== undefined);
  // More than the file system of a test may hold either.
  node.metadata.xattrs = new Map([[byteStringOfText("user.large"), new Uint8Array(4100)]]);
  const context = { directory, rootType: "alternative", backend: "composefs", itemsMax: 5 } as const;
  const { findings } = await runLints(
    LINTS.filter(({ name }) => name === "seal-state"),
    context,
    new Set(),
  );
  const message = 'Cannot put "/etc/hostname" on a disk: its extended attributes have more than 4 KiB';
  assert.deepEqual(findings, [{ name: "seal-state", type: "fatal", message }]);
});

test("seal-digest: a sealed image is what was sealed, until something is changed", async () => {
  const kernel = join(scratch, "kernel");
  assert.equal((await run("container", "split-kernel-and-rootfs", "--rootfs", root, "--output", kernel)).exitCode, 0);
  const uki = join(scratch, "os.efi");
  const words = ["--rootfs", root, "--kernel-dir", join(kernel, RELEASE), "--", "--output", uki];
  const made = await run("container", "ukify", ...words);
  assert.equal(made.exitCode, 0, made.err);
  const time = join(root, "boot");
  mkdirSync(join(root, "boot/EFI/Linux"), { recursive: true });
  execFileSync("cp", [uki, join(root, `boot/EFI/Linux/${RELEASE}.efi`)]);
  execFileSync("touch", ["--reference", join(root, "sysroot"), time]);
  const { exitCode, out } = await lint("--fatal-warnings");
  assert.equal(exitCode, 0, out);
  put("usr/changed");
  assert.match(
    (await found("seal-digest")) ?? "",
    /names another image \(composefs\.digest=v1-sha512-12:[0-9a-f]{128} /,
  );
});
