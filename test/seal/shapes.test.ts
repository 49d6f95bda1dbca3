/** Images of other shapes than the example's, sealed by whole command lines: docs/shapes.md. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { boundedUnpackers } from "../../src/bootimage/initramfs-archives.ts";
import { type CpioEntry, walkInitramfs } from "../../src/cpio/index.ts";
import { ELF_MACHINE, readElf, writeStaticProgram } from "../../src/elf/index.ts";
import { openImage } from "../../src/images/index.ts";
import { type EnrolmentFiles, loadEnrolment } from "../../src/keys/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { readUki, type Uki } from "../../src/pe/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { ACCEPT_ANYTHING } from "../../src/policy/index.ts";
import { readSealedUki, sealImage } from "../../src/seal/index.ts";
import { machineCodePrograms } from "../../src/seal/initramfs/machine-code/index.ts";
import { run } from "../cli/run-verb.ts";
import { MODULE_BYTES, QUICKJS_TEXT, RELEASE, SIGNATURE_MARK } from "./initramfs/made-image.ts";
import {
  type Change,
  DRACUT_INITRAMFS,
  forArm64,
  MODULES,
  madeShape,
  OTHER_RELEASE,
  putFile,
  staticQuickJs,
  twoKernels,
  withDracut,
  withoutQuickJs,
} from "./made-shapes.ts";
import { kernelImage, sealableRoot } from "./sealable-image.ts";

const BASE = "usr/lib/sealroot";
const SIGNED_MODULE = Buffer.concat([MODULE_BYTES, Buffer.from(SIGNATURE_MARK)]);

const scratch = mkdtempSync(join(tmpdir(), "sealroot-shapes-"));
let root: string;
let removeRoot = () => {};
before(async () => {
  ({ root, remove: removeRoot } = await sealableRoot());
  const { exitCode, err } = await run("keys", "generate", join(scratch, "keys"));
  assert.equal(exitCode, 0, err);
});
after(() => {
  removeRoot();
  rmSync(scratch, { recursive: true });
});

/** A layout of the sealable image after `change`. */
function shape(name: string, change: Change, architecture: "amd64" | "arm64" = "amd64"): Promise<string> {
  mkdirSync(join(scratch, name));
  return madeShape(root, join(scratch, name), "plain", change, architecture);
}

interface SealedShape {
  readonly reference: string;
  readonly report: { readonly kernelRelease: string; readonly commandLine: string; readonly ukiPath: string };
  readonly uki: Uki;
  /** Of all archives, the last one's at the end. */
  readonly entries: readonly CpioEntry[];
}

/** Seals it, and has `verify` judge the result, and `inspect` look at it. */
async function sealed(source: string, ...words: string[]): Promise<SealedShape> {
  const reference = `${source.replace(/plain:plain$/, `sealed-${words.length}`)}:sealed`;
  const all = ["seal", source, "-o", reference, "--keys", join(scratch, "keys"), "--json", ...words];
  const { exitCode, out, err } = await run(...all);
  assert.equal(exitCode, 0, err);
  const verified = await run("verify", reference);
  assert.equal(verified.exitCode, 0, verified.out + verified.err);
  const report = JSON.parse(out);
  const inspected = await run("inspect", reference);
  assert.equal(inspected.exitCode, 0, inspected.err);
  assert.ok(inspected.out.includes(report.kernelRelease), inspected.out);
  const image = await openImage(parseReference(reference));
  const uki = readUki(await readSealedUki(image));
  await image.close();
  const entries = [...walkInitramfs(uki.initramfs ?? new Uint8Array(), boundedUnpackers())].flatMap(
    (one) => one.entries,
  );
  return { reference, report, uki, entries };
}

/** The one line and the hint of a refusal, which leaves nothing. */
async function refused(source: string, words: readonly string[] = [], status = 1): Promise<string> {
  const output = source.replace(/plain:plain$/, "refused");
  const { exitCode, out, err } = await run(
    "seal",
    source,
    "-o",
    `${output}:sealed`,
    "--keys",
    join(scratch, "keys"),
    ...words,
  );
  assert.equal(exitCode, status, out);
  assert.ok(!existsSync(join(output.slice("oci:".length), "index.json")));
  return err;
}

/** What is said while it is sealed. */
async function warnings(source: string, enrolment?: EnrolmentFiles): Promise<string[]> {
  const said: string[] = [];
  await sealImage({
    source: parseReference(source),
    output: parseReference(source.replace(/plain:plain$/, "warned:sealed")),
    policy: ACCEPT_ANYTHING,
    signer: undefined,
    enrolment,
    initramfs: "minimal",
    allowMissingVerity: false,
    kernelArguments: [],
    events: (event) => {
      if (event.type === "message" && event.level === "warning") said.push(event.text);
    },
  });
  return said;
}

/** What a UKI's initramfs has of ours. */
function fileOf({ entries }: SealedShape, path: string): Buffer | undefined {
  const entry = entries.findLast((one) => one.path === `${BASE}/${path}`);
  return entry?.kind === "file" ? Buffer.from(entry.bytes) : undefined;
}

describe("an image with several kernels", () => {
  let source: string;
  before(async () => {
    source = await shape("kernels", twoKernels);
  });

  test("is refused with both ways out", async () => {
    assert.equal(
      await refused(source),
      `sealroot: Cannot seal the image: 2 kernels (${RELEASE}, ${OTHER_RELEASE})
  where:    /usr/lib/modules
  during:   make initramfs, digest and UKI
  expected: 1
  found:    2
  remove all kernels but the one to boot, or choose it: sealroot seal --kernel RELEASE
`,
    );
  });

  test("is sealed with the one that is chosen, and the others go with their modules", async () => {
    for (const [chosen, other] of [
      [RELEASE, OTHER_RELEASE],
      [OTHER_RELEASE, RELEASE],
    ] as const) {
      const found = await sealed(source, "--kernel", chosen, "--karg", `test=${chosen}`);
      assert.equal(found.report.kernelRelease, chosen);
      assert.equal(found.uki.kernelRelease, chosen);
      assert.equal(found.report.ukiPath, `/boot/EFI/Linux/${chosen}.efi`);
      assert.deepEqual(Buffer.from(found.uki.kernel), Buffer.from(kernelImage(chosen)));
      assert.ok(fileOf(found, `modules/${chosen}/order`) !== undefined);
      const repository = join(scratch, `repository-${chosen}`);
      const extracted = join(scratch, `extracted-${chosen}`);
      for (const words of [
        ["repo", "init", "--insecure", repository],
        ["image", "pull", "--repo", repository, found.reference, "os"],
        ["repo", "extract", "--no-same-owner", "--repo", repository, "os", extracted],
      ]) {
        const { exitCode, err } = await run(...words);
        assert.equal(exitCode, 0, err);
      }
      assert.ok(existsSync(join(extracted, `usr/lib/modules/${chosen}/modules.dep`)));
      assert.ok(!existsSync(join(extracted, `usr/lib/modules/${chosen}/vmlinuz`)));
      assert.ok(!existsSync(join(extracted, `usr/lib/modules/${other}`)));
      rmSync(found.reference.slice("oci:".length, -":sealed".length), { recursive: true });
    }
  });

  test("is refused for a kernel that it does not have", async () => {
    assert.match(
      await refused(source, ["--kernel", "6.1"]),
      /^sealroot: Cannot seal the image: it has no kernel 6\.1[\s\S]* {2}found: {4}6\.12\.1-test, 7\.0\.0-other\n$/,
    );
  });
});

describe("an image without QuickJS", () => {
  let source: string;
  const qjs = join(scratch, "qjs");
  before(async () => {
    source = await shape("no-quickjs", withoutQuickJs);
    writeFileSync(qjs, staticQuickJs());
  });

  test("is refused with both ways out", async () => {
    assert.match(
      await refused(source),
      /^sealroot: Cannot build the initramfs: the image has no qjs[\s\S]* {2}install the package that has it in the image \(Debian: quickjs; Fedora: quickjs\), or give it with --boot-program\n$/,
    );
  });

  test("is sealed with the one that is given, which need not be in the image", async () => {
    const found = await sealed(source, "--boot-program", qjs);
    assert.deepEqual(fileOf(found, "bin/qjs"), readFileSync(qjs));
    assert.ok(!found.entries.some(({ path }) => path.includes("boot-program")));
  });

  test("is sealed with one that needs libraries, which are the image's", async () => {
    const dynamic = join(scratch, "qjs-dynamic");
    copyFileSync("/bin/sh", dynamic);
    appendFileSync(dynamic, QUICKJS_TEXT);
    const found = await sealed(source, "--boot-program", dynamic, "--karg", "quiet");
    assert.deepEqual(fileOf(found, "bin/qjs"), readFileSync(dynamic));
    assert.ok(found.entries.some(({ path }) => path.endsWith("/libc.so.6")));
  });

  test("is refused with one that is not QuickJS, for another CPU, no program, or not there", async () => {
    const file = (name: string, bytes: string | Uint8Array) => {
      writeFileSync(join(scratch, name), bytes);
      return join(scratch, name);
    };
    const cases: [string, RegExp][] = [
      [
        file("busybox", writeStaticProgram(ELF_MACHINE.x86_64, Buffer.from("busybox"))),
        /is not QuickJS 2024-01-13 or later\n/,
      ],
      [file("arm", staticQuickJs(ELF_MACHINE.aarch64)), /the programs before are for another CPU\n/],
      [file("text", QUICKJS_TEXT), /it is no ELF file\n/],
      [join(scratch, "absent"), /^sealroot: Cannot read the QuickJS given with --boot-program: ENOENT/],
    ];
    for (const [path, expected] of cases) {
      const said = await refused(source, ["--boot-program", path]);
      assert.match(said, expected);
      assert.ok(said.includes(path), said);
    }
  });
});

test("an image with the userland of Debian 12 and a new kernel is sealed with a loop device", async () => {
  const source = await shape("bookworm", (path) => {
    const mount = readFileSync(path("usr/bin/mount"), "latin1");
    const old = (text: string) => "util-linux 2.38".padEnd(text.length, "\0");
    writeFileSync(path("usr/bin/mount"), mount.replaceAll(/util-linux \d+\.\d+[0-9.]*/g, old), "latin1");
    putFile(path(`${MODULES}/kernel/drivers/block/loop.ko`), MODULE_BYTES);
    appendFileSync(path(`${MODULES}/modules.dep`), "kernel/drivers/block/loop.ko:\n");
    writeFileSync(path(`${MODULES}/modules.builtin`), "kernel/fs/ext4/ext4.ko\n");
  });
  const found = await sealed(source);
  assert.equal(fileOf(found, "loop")?.length, 0);
  assert.match(fileOf(found, `modules/${RELEASE}/order`)?.toString() ?? "", /overlay\.ko\nloop\.ko\n$/);
});

describe("an image with an initramfs by dracut", () => {
  let source: string;
  before(async () => {
    source = await shape("dracut", withDracut);
  });

  test("is sealed with our own by default, and the image's is not in the result", async () => {
    const found = await sealed(source);
    assert.equal(Buffer.from(found.uki.initramfs ?? []).indexOf(DRACUT_INITRAMFS), -1);
    assert.ok(found.entries.some(({ path }) => path === "init"));
    assert.doesNotMatch(found.report.commandLine, /import_credentials/);
  });

  test("is sealed with the image's and our program at its end", async () => {
    const found = await sealed(source, "--initramfs", "extend");
    const initramfs = Buffer.from(found.uki.initramfs ?? []);
    assert.equal(Buffer.compare(initramfs.subarray(0, DRACUT_INITRAMFS.length), DRACUT_INITRAMFS), 0);
    assert.ok(found.entries.some(({ path }) => path === "usr/lib/systemd/system/sealroot.service"));
    assert.match(found.report.commandLine, / systemd\.import_credentials=no$/);
  });

  test("with a module for our own is refused before anything is read", async () => {
    assert.match(
      await refused(source, ["--initramfs", "extend", "--module", "softdog"], 2),
      /^sealroot: Cannot put module softdog into the image's initramfs: it finds its own disk\n/,
    );
  });
});

describe("an image with modules from elsewhere", () => {
  const dep = "updates/dkms/vendor_disk.ko.xz: extra/vendor_bus.ko\nextra/vendor_bus.ko:\n";
  const withModules = async (path: (name: string) => string, kernel: Buffer, bus: Buffer, disk: Buffer) => {
    appendFileSync(path(`${MODULES}/modules.dep`), dep);
    putFile(path(`${MODULES}/extra/vendor_bus.ko`), bus);
    putFile(
      path(`${MODULES}/updates/dkms/vendor_disk.ko.xz`),
      (await runTool("xz", ["--stdout"], { input: disk })).stdout,
    );
    writeFileSync(
      path(`${MODULES}/kernel/fs/erofs/erofs.ko.xz`),
      (await runTool("xz", ["--stdout"], { input: kernel })).stdout,
    );
  };

  test("that are not signed although the kernel's are: it is said, with the remedy", async () => {
    const source = await shape("unsigned", (path) => withModules(path, SIGNED_MODULE, MODULE_BYTES, MODULE_BYTES));
    const found = await sealed(source, "--module", "vendor-disk");
    assert.match(
      (await warnings(source)).join("\n"),
      /^Kernel modules without a signature, which the kernel refuses when Secure Boot locks it down: updates\/dkms\/vendor_disk\.ko\.xz, extra\/vendor_bus\.ko; sign them with sign-file/,
    );
    const order = fileOf(found, `modules/${RELEASE}/order`)?.toString() ?? "";
    assert.match(order, /^virtio_blk\.ko\nvendor_bus\.ko\nvendor_disk\.ko\n/);
    assert.deepEqual(fileOf(found, `modules/${RELEASE}/vendor_disk.ko`), MODULE_BYTES);
  });

  test("that are signed, or of a kernel that signs nothing, are as good as others", async () => {
    const cases = {
      signed: [SIGNED_MODULE, SIGNED_MODULE, SIGNED_MODULE],
      none: [MODULE_BYTES, MODULE_BYTES, MODULE_BYTES],
    };
    for (const [name, [kernel, bus, disk]] of Object.entries(cases)) {
      assert.ok(kernel !== undefined && bus !== undefined && disk !== undefined);
      const source = await shape(name, (path) => withModules(path, kernel, bus, disk));
      const found = await sealed(source);
      assert.deepEqual(await warnings(source), []);
      assert.ok(fileOf(found, `modules/${RELEASE}/vendor_disk.ko`) === undefined, "only when it is asked for");
    }
  });

  test("that a key of the build signed which is not in db: it is said; not of others, nor when it is in db", async () => {
    const keys = mkdtempSync(join(tmpdir(), "sealroot-dkms-"));
    const at = (name: string) => join(keys, name);
    const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: ["ignore", "pipe", "ignore"] });
    for (const name of ["dkms", "vendor"]) {
      const subject = ["-subj", `/CN=${name} key`, "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)];
      openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", ...subject);
    }
    openssl("x509", "-in", at("dkms.pem"), "-outform", "der", "-out", at("dkms.der"));
    writeFileSync(at("module"), MODULE_BYTES);
    // As sign-file does (Linux scripts/sign-file.c).
    const signed = (name: string) => {
      const words = ["-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", "sha512", "-outform", "der"];
      const signer = ["-signer", at(`${name}.pem`), "-inkey", at(`${name}.key`), "-in", at("module")];
      const signature = openssl("cms", ...words, ...signer);
      const info = Buffer.alloc(12);
      info.writeUInt8(2, 2);
      info.writeUInt32BE(signature.length, 8);
      return Buffer.concat([MODULE_BYTES, signature, info, Buffer.from(SIGNATURE_MARK)]);
    };
    const source = await shape("dkms", async (path) => {
      await withModules(path, SIGNED_MODULE, signed("vendor"), signed("dkms"));
      putFile(path("var/lib/dkms/mok.pub"), readFileSync(at("dkms.der")));
    });
    const said =
      "Kernel modules signed by CN=dkms key, which is not in db, which the kernel refuses when Secure Boot locks it down: ";
    const enrolmentOf = (path: string) => loadEnrolment(path, new Date("2026-01-02T03:04:05Z"));
    const [text = "", ...others] = await warnings(source, await enrolmentOf(join(scratch, "keys")));
    assert.ok(text.startsWith(`${said}updates/dkms/vendor_disk.ko.xz; sign them`), text);
    assert.deepEqual(others, []);
    // Nobody knows what a machine will have that enrols nothing from the image.
    assert.deepEqual(await warnings(source), []);
    const enrolling = join(keys, "keys");
    const made = await run("keys", "generate", enrolling, "--add-db", at("dkms.pem"));
    assert.equal(made.exitCode, 0, made.err);
    assert.deepEqual(await warnings(source, await enrolmentOf(enrolling)), []);
    rmSync(keys, { recursive: true });
  });

  test("of which one is wanted that there is not: refused", async () => {
    const source = await shape("unknown", () => {});
    assert.equal(
      await refused(source, ["--module", "megaraid_sas"]),
      `sealroot: Cannot build the initramfs: kernel ${RELEASE} has no module megaraid_sas
  where:    /${MODULES}/modules.dep
  during:   make initramfs, digest and UKI
  give its name as modinfo(8) does; a module that was put in later needs depmod(8) in the image
`,
    );
  });
});

test("a kernel that is a gzip file, as Ubuntu's for arm64, is refused with the remedy", async () => {
  const source = await shape("gzip", (path) => putFile(path(`${MODULES}/vmlinuz`), gzipSync(kernelImage(RELEASE))));
  assert.equal(
    await refused(source),
    `sealroot: Cannot seal the image: its kernel /${MODULES}/vmlinuz is compressed by gzip
  during:   make initramfs, digest and UKI
  expected: an EFI program
  found:    a gzip file
  put the unpacked kernel there: zcat vmlinuz > vmlinuz.efi && mv vmlinuz.efi vmlinuz
`,
  );
});

test("an image for arm64 is sealed on any machine, with programs for its CPU", async () => {
  const source = await shape("arm64", forArm64, "arm64");
  const found = await sealed(source, "--karg", "console=ttyAMA0");
  assert.equal(found.uki.architecture, "aa64");
  assert.equal(found.uki.kernelRelease, RELEASE);
  const own = machineCodePrograms(ELF_MACHINE.aarch64);
  for (const name of ["measure", "insmod", "lookup"] as const) {
    assert.deepEqual(fileOf(found, `bin/${name}`), Buffer.from(own[name]));
  }
  for (const entry of found.entries) {
    if (entry.kind === "file" && entry.path.includes("/bin/")) {
      assert.equal(readElf(entry.bytes).machine, ELF_MACHINE.aarch64, entry.path);
    }
  }
});
