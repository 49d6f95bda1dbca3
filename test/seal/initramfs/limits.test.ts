/** Small images that unpack to much: each limit, and what is said of it; docs/formats.md, "Limits". */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { INITRAMFS_UNPACKED_MAX_BYTES } from "../../../src/bootimage/initramfs-archives.ts";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { writeCpio } from "../../../src/cpio/index.ts";
import type { SealrootError } from "../../../src/errors/index.ts";
import { BoundedFiles, FILE_MAX_BYTES } from "../../../src/seal/bounded-files.ts";
import { collectImageModules, MODULE_MAX_BYTES, MODULES_MAX_BYTES } from "../../../src/seal/initramfs/image-modules.ts";
import { extendInitramfs } from "../../../src/seal/initramfs/index.ts";
import { UNPACKED_MAX_BYTES, UnpackBudget } from "../../../src/seal/unpack-budget.ts";
import type { ImageFiles } from "../../../src/tree/index.ts";
import { newDirectory, newMetadata } from "../../../src/tree/index.ts";
import { RELEASE, SEALED_ROOT } from "./made-image.ts";

const MIB = 1024 * 1024;
const WANTED = { disks: [], loopFor: undefined, opensEncrypted: false };
const ZEROS = Buffer.alloc(MODULE_MAX_BYTES + 1);
const COMPRESS = {
  zst: (bytes: Buffer) => zstdCompressSync(bytes),
  gz: (bytes: Buffer) => gzipSync(bytes, { level: 1 }),
  xz: (bytes: Buffer) => execFileSync("xz", ["-0", "--stdout"], { input: bytes, maxBuffer: 1 << 30 }),
};
type Packing = keyof typeof COMPRESS;

/** Kernel modules and nothing else. @param contents of further modules by their names; the required ones are small */
function kernelWith(packing: Packing, contents: Readonly<Record<string, Buffer>>): ImageFiles {
  const files = new Map<string, Uint8Array>();
  const names = ["erofs", "overlay", ...Object.keys(contents)];
  const paths = names.map((name) => `kernel/${name}.ko.${packing}`);
  for (const [index, name] of names.entries()) {
    files.set(paths[index] ?? "", COMPRESS[packing](contents[name] ?? Buffer.from("\x7fELF")));
  }
  // Everything is needed by erofs, so that all are taken.
  const dep = paths.map((path, index) => `${path}: ${index === 0 ? paths.slice(2).join(" ") : ""}\n`).join("");
  files.set("modules.dep", Buffer.from(dep));
  files.set("modules.builtin", Buffer.alloc(0));
  return filesOf(new Map([...files].map(([path, bytes]) => [`/usr/lib/modules/${RELEASE}/${path}`, bytes])));
}

function filesOf(files: ReadonlyMap<string, Uint8Array>): ImageFiles {
  const metadata = newMetadata();
  return {
    resolve: (path) => {
      const bytes = files.get(path);
      return bytes && { path, node: { kind: "file", metadata, content: { type: "inline", bytes } } };
    },
    read: (path) => files.get(path) ?? assert.fail(path),
    list: () => [],
  };
}

for (const packing of Object.keys(COMPRESS) as Packing[]) {
  test(`${packing}: a module of the most bytes there may be is taken, one of a byte more is refused by name`, async () => {
    const most = ZEROS.subarray(0, MODULE_MAX_BYTES);
    const { modules } = await collectImageModules(kernelWith(packing, { most }), RELEASE, WANTED);
    assert.deepEqual(
      modules.map(({ fileName, bytes }) => [fileName, bytes.length]),
      [
        ["most.ko", MODULE_MAX_BYTES],
        ["erofs.ko", 4],
        ["overlay.ko", 4],
      ],
    );
    await assert.rejects(collectImageModules(kernelWith(packing, { bomb: ZEROS }), RELEASE, WANTED), {
      code: "unsupported",
      message: `Cannot build the initramfs: module bomb.ko.${packing} decompresses to more than ${MODULE_MAX_BYTES} bytes`,
      data: { path: `bomb.ko.${packing}`, expected: `at most ${MODULE_MAX_BYTES} bytes` },
    });
  });

  test(`${packing}: modules that are too much together are refused`, async () => {
    const module = ZEROS.subarray(0, 60 * MIB);
    const contents = { a: module, b: module, c: module, d: module, e: module };
    await assert.rejects(collectImageModules(kernelWith(packing, contents), RELEASE, WANTED), {
      code: "unsupported",
      message: `Cannot build the initramfs: module a.ko.${packing} and those before it decompress to more than ${MODULES_MAX_BYTES} bytes`,
    });
  });

  test(`${packing}: a damaged module is refused`, async () => {
    const good = kernelWith(packing, {});
    const path = `/usr/lib/modules/${RELEASE}/kernel/erofs.ko.${packing}`;
    const bytes = await good.read(path);
    const read = (asked: string) => (asked === path ? bytes.subarray(0, bytes.length - 6) : good.read(asked));
    await assert.rejects(collectImageModules({ ...good, read }, RELEASE, WANTED), (error: SealrootError) => {
      assert.match(error.message, /erofs\.ko/);
      return true;
    });
  });
}

test("xz that asks for gigabytes of its own is refused", async () => {
  const small = execFileSync("xz", ["-0", "--stdout"], { input: Buffer.from("\x7fELF") });
  // The block's header (xz file format 1.2, section 3.1) at 12: its length, flags, filter LZMA2 with one property.
  const headerBytes = ((small[12] ?? 0) + 1) * 4;
  assert.deepEqual([...small.subarray(14, 16)], [0x21, 1]);
  // A dictionary of 2 GiB, which is the decompressor's memory, however small the module is.
  small[16] = 38;
  small.writeUInt32LE(crc32(small.subarray(12, 12 + headerBytes - 4)), 12 + headerBytes - 4);
  const good = kernelWith("xz", {});
  const path = `/usr/lib/modules/${RELEASE}/kernel/erofs.ko.xz`;
  const read = (asked: string) => (asked === path ? small : good.read(asked));
  await assert.rejects(collectImageModules({ ...good, read }, RELEASE, WANTED), {
    code: "failed",
    message: /erofs\.ko\.xz: Memory usage limit reached/,
  });
});

/** A cpio archive of one file of zeros. */
function archive(sizeBytes: number): Uint8Array {
  return writeCpio([
    { kind: "directory", path: byteStringOfText("d"), mode: 0o755 },
    { kind: "file", path: byteStringOfText("d/zeros"), mode: 0o644, bytes: new Uint8Array(sizeBytes) },
  ]);
}

const NO_FILES = filesOf(new Map());
const tooMuch = {
  code: "unsupported",
  message: `Cannot unpack the initramfs: its archives unpack to more than ${INITRAMFS_UNPACKED_MAX_BYTES} bytes`,
} as const;

test("the archives of an initramfs count together, however they are compressed", async () => {
  const part = archive(100 * MIB);
  const [zstd, gzip] = [zstdCompressSync(part), gzipSync(part, { level: 1 })];
  assert.ok(zstd.length + gzip.length < MIB);
  const six = Buffer.concat([zstd, gzip, zstd, gzip, zstd, gzip]);
  await assert.rejects(extendInitramfs(six, NO_FILES, { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT }), tooMuch);
  const four = Buffer.concat([zstd, gzip, zstd, gzip]);
  // Small enough to be looked into: it is no initramfs of a known kind.
  await assert.rejects(extendInitramfs(four, NO_FILES, { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT }), {
    message: "Cannot extend the image's initramfs: it has no /init",
  });
});

test("one archive of too much is refused before it is there, frame after frame too", async () => {
  const zeros = zstdCompressSync(Buffer.alloc(300 * MIB));
  for (const initramfs of [
    zstdCompressSync(Buffer.alloc(INITRAMFS_UNPACKED_MAX_BYTES + 1)),
    Buffer.concat([zeros, zeros]),
  ]) {
    await assert.rejects(
      extendInitramfs(initramfs, NO_FILES, { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT }),
      tooMuch,
    );
  }
});

test("an initramfs of more entries than memory is refused", async () => {
  const header = (name: string) => {
    const fields = [0, 0o40755, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.length + 1, 0].map((field) =>
      field.toString(16).padStart(8, "0"),
    );
    const bytes = Buffer.from(`070701${fields.join("")}${name}\0`);
    return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  };
  const entry = header("d");
  const many = Buffer.alloc(entry.length * 500_001, entry);
  const initramfs = zstdCompressSync(Buffer.concat([many, header("TRAILER!!!")]));
  assert.ok(initramfs.length < 100_000);
  await assert.rejects(extendInitramfs(initramfs, NO_FILES, { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT }), {
    code: "unsupported",
    message: "Cannot read cpio archive: it has too many entries",
  });
});

test("files of an image are taken up to a limit, each and all together", () => {
  let reads = 0;
  const sized = (sizeBytes: number) => {
    const root = newDirectory();
    for (const name of ["a", "b", "c"]) {
      const content = { type: "external", sizeBytes, objectId: name } as const;
      root.entries.set(byteStringOfText(name), { kind: "file", metadata: newMetadata(), content });
    }
    const readObject = () => {
      reads++;
      return new Uint8Array(0);
    };
    return new BoundedFiles(root, readObject, new UnpackBudget());
  };
  assert.throws(() => sized(FILE_MAX_BYTES + 1).read("/a"), {
    code: "unsupported",
    message: `Cannot read /a of the image: it has ${FILE_MAX_BYTES + 1} bytes, over ${FILE_MAX_BYTES}`,
  });
  const files = sized(FILE_MAX_BYTES);
  files.read("/a");
  files.read("/b");
  assert.throws(() => files.read("/c"), {
    code: "unsupported",
    message: `Cannot seal the image: /c and what was unpacked before have more than ${UNPACKED_MAX_BYTES} bytes`,
    data: { expected: `at most ${UNPACKED_MAX_BYTES} bytes in all` },
  });
  assert.equal(reads, 2);
});

/** A budget with little left. */
function budgetOf(leftBytes: number): UnpackBudget {
  const budget = new UnpackBudget();
  budget.take("what was before", UNPACKED_MAX_BYTES - leftBytes);
  return budget;
}

test("modules and an initramfs draw from the limit for all that seal unpacks, and are named when they go over it", async () => {
  const exceeded = (what: string) => ({
    code: "unsupported",
    message: `Cannot seal the image: ${what} and what was unpacked before have more than ${UNPACKED_MAX_BYTES} bytes`,
    data: { expected: `at most ${UNPACKED_MAX_BYTES} bytes in all` },
  });
  for (const packing of ["xz", "zst", "gz"] as const) {
    const files = kernelWith(packing, { a: ZEROS.subarray(0, MIB), b: ZEROS.subarray(0, MIB) });
    const enough = budgetOf(3 * MIB);
    await collectImageModules(files, RELEASE, WANTED, enough);
    assert.ok(enough.leftBytes < MIB, packing);
    const little = budgetOf(MIB + 512 * 1024);
    await assert.rejects(collectImageModules(files, RELEASE, WANTED, little), exceeded(`module a.ko.${packing}`));
  }
  const part = archive(MIB);
  for (const compressed of [zstdCompressSync(part), gzipSync(part)]) {
    const initramfs = Buffer.concat([compressed, compressed]);
    const extended = (budget: UnpackBudget) =>
      extendInitramfs(initramfs, NO_FILES, { kernelRelease: RELEASE, sealedRoot: SEALED_ROOT, budget });
    await assert.rejects(extended(budgetOf(2 * MIB)), exceeded("the archives of the initramfs"));
    await assert.rejects(extended(budgetOf(3 * MIB)), {
      message: "Cannot extend the image's initramfs: it has no /init",
    });
  }
});
