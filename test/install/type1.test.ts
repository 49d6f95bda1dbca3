/** Installing an image that is not sealed: kernel and initramfs as files, a Type 1 entry with this disk's arguments. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";
import { parseOrigin } from "../../src/deployment/index.ts";
import { readDiskPartitions, readEspFile } from "../../src/disk/index.ts";
import type { SealrootError } from "../../src/errors/index.ts";
import { type InstalledDisk, type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { signPe } from "../../src/pe/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import {
  baseFiles,
  type ImageFile,
  plainKernel,
  SMALL_DISK,
  sealImage,
  TEST_KEYS,
  type1Files,
  unsealedImage,
} from "./sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-install-type1-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

/** An initramfs as far as anything looks at it. */
const INITRAMFS = writeCpio([
  { kind: "file", path: byteStringOfText("usr/lib/bootc/initramfs-setup"), mode: 0o755, bytes: Buffer.from("setup") },
]);
const NO_CHOICES = { kernelArguments: [], removedKernelArguments: [], disableSelinux: false };

/** The usual files without keys to enrol, kernel and initramfs, and these; a later one of the same path wins. */
function files(...more: readonly ImageFile[]): ImageFile[] {
  const all = new Map<string, ImageFile>();
  const base = baseFiles().filter(({ path }) => !path.includes("secureboot-keys/"));
  for (const file of [...base, ...type1Files({ initramfs: INITRAMFS }), ...more]) all.set(file.path, file);
  return [...all.values()];
}

const kargs = (name: string, text: string): ImageFile[] => [
  { path: "usr/lib/bootc/kargs.d" },
  { path: `usr/lib/bootc/kargs.d/${name}.toml`, content: text },
];

interface Installed {
  readonly disk: InstalledDisk;
  readonly warnings: readonly string[];
  readonly imageId: string | undefined;
}

async function install(content: readonly ImageFile[], changes: Partial<InstallToDiskOptions> = {}): Promise<Installed> {
  const directory = join(scratch, String(count++));
  mkdirSync(directory);
  const { reference, images } = await unsealedImage(directory, content);
  const warnings: string[] = [];
  const target = join(directory, "disk.img");
  try {
    const disk = await installToDisk({
      target,
      source: reference,
      ...SMALL_DISK,
      sourceDateEpoch: 1_700_000_000,
      policy: "accept-anything",
      unsealed: NO_CHOICES,
      events: (event) => event.type === "message" && event.level === "warning" && warnings.push(event.text),
      ...changes,
    });
    return { disk, warnings, imageId: images.find(({ version }) => version === 1)?.id };
  } catch (error) {
    assert.ok(!existsSync(target));
    throw error;
  }
}

async function espText(disk: InstalledDisk, path: string): Promise<string> {
  return Buffer.from(await espBytes(disk, path)).toString("utf8");
}

async function espBytes(disk: InstalledDisk, path: string): Promise<Uint8Array> {
  const { partitions } = await readDiskPartitions(disk.path);
  const esp = partitions[partitions.length - 2];
  assert.ok(esp !== undefined);
  return readEspFile({ directory: scratch, path: disk.path }, esp.startBytes, path);
}

const both = (id: string | undefined, mark = "") => `composefs.digest=${mark}v1-sha512-12:${id} composefs=${mark}${id}`;
const ENTRY = "loader/entries/bootc_testos-1.0-1.conf";

const WARNING =
  "The image is not sealed: nothing that boots is signed, and whoever can write to the disk decides what does";
const UNSIGNED = "Firmware with Secure Boot will refuse the kernel /usr/lib/modules/6.12/vmlinuz: it is not signed";

test("an unsealed image is installed with its kernel, an entry with this disk's root, and an origin that says bls", async () => {
  const { disk, warnings, imageId } = await install(files(...kargs("10-a", 'kargs = ["console=ttyS0", "quiet"]')));
  assert.equal(disk.deploymentId, imageId);
  assert.equal(disk.protection, "unsealed");
  assert.deepEqual(warnings, [WARNING, UNSIGNED]);
  const line = `root=UUID=${disk.rootUuid} rw ${both(imageId)} console=ttyS0 quiet`;
  assert.equal(disk.commandLine, line);
  const folder = `/EFI/Linux/bootc_composefs-${imageId}`;
  assert.equal(
    await espText(disk, ENTRY),
    `title Test OS\nversion 1.0\nlinux ${folder}/vmlinuz\ninitrd ${folder}/initrd\noptions ${line}\nsort-key bootc-testos-0\n`,
  );
  assert.deepEqual(Buffer.from(await espBytes(disk, `${folder.slice(1)}/vmlinuz`)), Buffer.from(plainKernel()));
  assert.deepEqual(Buffer.from(await espBytes(disk, `${folder.slice(1)}/initrd`)), Buffer.from(INITRAMFS));
  const { partitions } = await readDiskPartitions(disk.path);
  const root = partitions.at(-1);
  assert.ok(root !== undefined);
  const copy = join(scratch, "origin");
  const offset = `${disk.path}?offset=${root.startBytes}`;
  await runTool("debugfs", ["-R", `dump state/deploy/${imageId}/${imageId}.origin ${copy}`, offset]);
  assert.deepEqual(parseOrigin(readFileSync(copy, "utf8"), "origin"), {
    imageReference: "docker://quay.io/example/os:latest",
    bootType: "bls",
    bootDigest: createHash("sha256").update(plainKernel()).update(INITRAMFS).digest("hex"),
    manifestDigest: disk.manifestDigest,
    pinned: false,
  });
});

test("the same unsealed image and time give the same bytes", async () => {
  const [first, second] = [await install(files()), await install(files())];
  assert.ok(readFileSync(first.disk.path).equals(readFileSync(second.disk.path)));
});

test("arguments of the installation, of its configuration and of the image have upstream's order, and can be deleted", async () => {
  const configuration: ImageFile = {
    path: "usr/lib/bootc/install/50.toml",
    content: '[install]\nkargs = ["from=configuration", "nosmt"]\nkarg-deletes = ["quiet"]\n',
  };
  const { disk, imageId } = await install(
    files(configuration, ...kargs("10-a", 'kargs = ["console=ttyS0", "quiet", "console=tty0"]')),
    {
      unsealed: {
        kernelArguments: ["local=1 second", "local=1"],
        removedKernelArguments: ["console=tty0", "nosmt"],
        disableSelinux: true,
      },
    },
  );
  const decided = `root=UUID=${disk.rootUuid} rw`;
  assert.equal(
    disk.commandLine,
    `${decided} from=configuration local=1 second selinux=0 ${both(imageId)} console=ttyS0`,
  );
});

test("with missing verity allowed the entry says so, and so does everything that is printed", async () => {
  const { disk, warnings, imageId } = await install(files(), { allowMissingVerity: true });
  assert.equal(disk.protection, "unchecked");
  assert.equal(disk.commandLine, `root=UUID=${disk.rootUuid} rw ${both(imageId, "?")}`);
  assert.deepEqual(warnings, [
    WARNING,
    "Its boot entry has composefs=?: fs-verity is not required, damaged files are not noticed",
    UNSIGNED,
  ]);
});

test("with keys to enrol, the kernel must be signed by them", async () => {
  const keys = baseFiles().filter(({ path }) => path.includes("secureboot-keys/"));
  const folder = "usr/lib/modules/6.12/vmlinuz";
  await assert.rejects(install(files(...keys)), (error: SealrootError) => {
    assert.equal(error.code, "untrusted");
    assert.match(error.message, /the kernel \/usr\/lib\/modules\/6\.12\/vmlinuz/);
    return true;
  });
  const signed = await signPe(plainKernel(), TEST_KEYS.signer);
  const { warnings } = await install(files(...keys, { path: folder, content: signed }));
  assert.deepEqual(warnings, [WARNING]);
});

test("what an unsealed image cannot have is refused by name", async () => {
  const without = (path: string) => files().filter((file) => file.path !== path);
  const other = writeCpio([{ kind: "file", path: byteStringOfText("init"), mode: 0o755, bytes: new Uint8Array(1) }]);
  const initramfs = "usr/lib/modules/6.12/initramfs.img";
  const unsealed = (kernelArguments: string[]) => ({ unsealed: { ...NO_CHOICES, kernelArguments } });
  const cases: readonly (readonly [ImageFile[], Partial<InstallToDiskOptions>, string, string])[] = [
    [
      files(),
      { unsealed: undefined },
      "untrusted",
      "Cannot install the image: it is not sealed (no UKI in /boot/EFI/Linux), so its disk boots what anyone writes to it",
    ],
    [
      without(initramfs),
      {},
      "unsupported",
      `Cannot install the image: it is not sealed (no UKI in /boot/EFI/Linux), and has no initramfs (/${initramfs})`,
    ],
    [
      files({ path: initramfs, content: other }),
      {},
      "unsupported",
      `Cannot install the image: its initramfs /${initramfs} has no program that mounts a composefs root`,
    ],
    [
      files(),
      { addonNames: ["debug"] },
      "unsupported",
      "Cannot install the add-on debug: the image has no UKI that would read it",
    ],
    [
      files(),
      unsealed(["root=/dev/sda1"]),
      "usage",
      'Cannot use the kernel argument "root=/dev/sda1": "root" is decided by the installation',
    ],
    [
      files(),
      unsealed(["composefs=?x"]),
      "usage",
      'Cannot use the kernel argument "composefs=?x": "composefs" is decided by the installation',
    ],
    [files(), unsealed(['a="b']), "usage", 'Cannot use the kernel argument "a=\\"b": a double quote is not closed'],
    [files(), unsealed(["x".repeat(2048)]), "unsupported", ""],
    [
      files(...kargs("10", 'kargs = ["root=/dev/vda"]')),
      {},
      "unsupported",
      'Cannot use the kernel argument "root=/dev/vda" of /usr/lib/bootc/kargs.d/10.toml: "root" is decided by the installation',
    ],
  ];
  for (const [content, changes, code, message] of cases) {
    await assert.rejects(install(content, changes), (error: SealrootError) => {
      assert.equal(error.code, code, error.message);
      if (message !== "") assert.equal(error.message, message);
      return true;
    });
  }
});

test("an unsealed machine may have arguments that a seal would refuse", async () => {
  const { disk } = await install(files(...kargs("10", 'kargs = ["systemd.debug_shell"]')), {
    unsealed: { ...NO_CHOICES, kernelArguments: ["systemd.unit=rescue.target"] },
  });
  assert.match(disk.commandLine, / systemd\.unit=rescue\.target composefs.* systemd\.debug_shell$/);
});

test("an initramfs that cannot be looked into gives a warning, not an opinion", async () => {
  const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0]);
  const { warnings } = await install(files({ path: "usr/lib/modules/6.12/initramfs.img", content: xz }));
  assert.match(warnings[1] ?? "", /^The initramfs \/usr\/lib\/modules\/6\.12\/initramfs\.img was not looked into \(/);
});

test("arguments for a sealed image are refused, before the work where --allow-unsealed is missing and after it otherwise", async () => {
  const directory = join(scratch, "sealed");
  mkdirSync(directory);
  const { reference } = await sealImage(directory, baseFiles());
  const words = ["install", "to-disk", join(directory, "disk.img"), "--size", "1200M", "--insecure-policy"];
  const source = ["--source-imgref", reference];
  const early = await run(...words, ...source, "--karg", "quiet");
  assert.match(early.err, /Cannot use externally specified kernel arguments with UKI/);
  for (const option of [["--karg", "quiet"], ["--karg-delete", "quiet"], ["--disable-selinux"]]) {
    const late = await run(...words, ...source, "--allow-unsealed", ...option);
    assert.notEqual(late.exitCode, 0);
    assert.ok(
      late.err.includes(`Cannot use ${option[0]}: the image is sealed, and with it its command line`),
      late.err,
    );
  }
  assert.equal((await run(...words, ...source, "--allow-unsealed")).exitCode, 0);
});

test("install says in words what the disk is worth", async () => {
  const directory = join(scratch, "words");
  mkdirSync(directory);
  const { reference } = await unsealedImage(directory, files());
  const words = ["install", "to-disk", join(directory, "disk.img"), "--size", "1200M", "--insecure-policy"];
  const { exitCode, out } = await run(...words, "--source-imgref", reference, "--allow-unsealed", "--karg", "quiet");
  assert.equal(exitCode, 0);
  assert.match(
    out,
    /^protection {2}not sealed: whoever can write to the disk decides what boots; fs-verity finds damage\nInstallation complete!$/m,
  );
});
