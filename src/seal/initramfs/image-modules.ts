/** The kernel modules that the initramfs loads, from the image, decompressed. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { kernelFolder } from "../../bootimage/index.ts";
import { type KernelModules, moduleLoadOrder, parseKernelModules } from "../../elf/index.ts";
import { corrupt, hasErrno, reasonOf, SealrootError } from "../../errors/index.ts";
import { runTool, temporaryDirectory } from "../../platform/index.ts";
import type { ImageFiles } from "../../tree/index.ts";
import { unzstdWhole } from "../../zstd/index.ts";
import { UnpackBudget } from "../unpack-budget.ts";
import { withoutLoop } from "./boot-needs.ts";

/**
 * What a root needs from the kernel: without one of these, built in or as a module, there is no sealed root.
 */
const REQUIRED = ["erofs", "overlay"];

/** Loaded first, so that the first use of a hash finds the fast implementation (spec/boot-chain.md C, "-cpu"). */
const HASHES = ["sha256_ssse3", "sha512_ssse3", "sha2_ce", "sha512_ce", "crc32c_generic", "crc32c_intel"];

/** The disks that most machines boot from, the file system on them, and the boot loader's variables. */
const DISKS = ["virtio_pci", "virtio_blk", "nvme", "ext4", "efivarfs"];

/** The other disks. Their drivers take 0.6 s in emulation, so they wait until no root is found without them. */
const SLOW_DISKS = ["virtio_scsi", "ahci", "sd_mod"];

/**
 * Watchdogs: of virtual machines (QEMU, Xen), of PCs (ACPI, Intel, AMD), and as the last one the kernel's own timer, which
 * notices a system that hangs but not a kernel. Loaded when a counted boot is to be watched.
 */
const WATCHDOGS = ["i6300esb", "xen_wdt", "wdat_wdt", "iTCO_wdt", "sp5100_tco", "softdog"];

/** The mapping of an encrypted root with its cipher, the fast implementation after the plain one. Loaded when there is such a root. */
const ENCRYPTION = ["dm_mod", "dm_crypt", "xts", "aes_generic", "aesni_intel", "aes_ce_blk"];
/** TPMs of PCs and virtual machines. In most kernels they are built in, as measuring begins early. */
const TPMS = ["tpm_tis", "tpm_crb"];

export interface ModuleFile {
  /** Without folders, decompressed: `erofs.ko`. */
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

export interface ImageModules {
  readonly kernelRelease: string;
  /** In the order to load them. */
  readonly modules: readonly ModuleFile[];
  /** In the order to load them, after `modules` and only when no root device is found. */
  readonly slowModules: readonly ModuleFile[];
  /** In the order to load them, after `modules` and only when a watchdog is wanted. */
  readonly watchdogModules: readonly ModuleFile[];
  /** In the order to load them, after `modules` and only when the root is encrypted; undefined when it cannot be. */
  readonly cryptModules: readonly ModuleFile[] | undefined;
}

export interface WantedModules {
  /** Modules that the disk needs besides the usual ones; undefined when the initramfs does not find its disk with ours. */
  readonly disks: readonly string[] | undefined;
  /** Because of what a loop device is needed ({@link checkBootNeeds}); undefined when none is. */
  readonly loopFor: string | undefined;
  /** Whether the initramfs opens encrypted roots, which a TPM may release. */
  readonly opensEncrypted: boolean;
}

/**
 * Collects the modules of a kernel that exist, with what they need.
 *
 * @param budget what modules that are compressed draw from; of its own when absent
 * @throws SealrootError `unsupported` when the kernel has no EROFS, no overlayfs or no loop device that is needed, or for a
 *   module that decompresses to too much; `not-found` without modules.dep, and for a wanted module that there is not
 */
export async function collectImageModules(
  files: ImageFiles,
  kernelRelease: string,
  { disks, loopFor, opensEncrypted }: WantedModules,
  budget = new UnpackBudget(),
): Promise<ImageModules> {
  const folder = kernelFolder(kernelRelease);
  const kernel = await readKernelModules(files, kernelRelease);
  for (const name of REQUIRED) {
    if (!kernel.modules.has(name) && !kernel.builtIn.has(name)) {
      throw new SealrootError("unsupported", `Cannot build the initramfs: kernel ${kernelRelease} has no ${name}`, {
        path: folder,
        hint: "use a kernel with EROFS and overlayfs (Linux 6.12 or later)",
      });
    }
  }
  const isThere = (name: string) => kernel.modules.has(name) || kernel.builtIn.has(name);
  if (loopFor !== undefined && !isThere("loop")) throw withoutLoop(kernelRelease, loopFor);
  for (const name of disks ?? []) if (!isThere(name.replaceAll("-", "_"))) throw unknownModule(kernelRelease, name);
  const first = moduleLoadOrder(kernel, [
    ...HASHES,
    ...(disks === undefined ? ["efivarfs"] : [...DISKS, ...disks]),
    ...REQUIRED,
    ...(loopFor === undefined ? [] : ["loop"]),
    ...(opensEncrypted ? TPMS : []),
  ]);
  const rest = (names: readonly string[], taken: readonly string[]) =>
    moduleLoadOrder(kernel, disks === undefined ? [] : names).filter((path) => !taken.includes(path));
  const slow = rest(SLOW_DISKS, first);
  // Those that were needed for the disks may be loaded by then, or not: loading one again does no harm.
  const watchdogs = rest(WATCHDOGS, first);
  const crypt = rest(opensEncrypted ? ENCRYPTION : [], first);
  const read = async (path: string): Promise<ModuleFile> => ({
    fileName: path.slice(path.lastIndexOf("/") + 1),
    bytes: await files.read(`${folder}/${path}`),
  });
  const paths = [...new Set([...first, ...slow, ...watchdogs, ...crypt])];
  const all = await decompressModules(await Promise.all(paths.map(read)), budget);
  const filesOf = (list: readonly string[]) => all.filter((_, index) => list.includes(paths[index] ?? ""));
  return {
    kernelRelease,
    modules: filesOf(first),
    slowModules: filesOf(slow),
    watchdogModules: filesOf(watchdogs),
    cryptModules: opensEncrypted ? filesOf(crypt) : undefined,
  };
}

/** Whether a kernel can map an encrypted volume (CONFIG_DM_CRYPT). */
export async function kernelEncrypts(files: ImageFiles, kernelRelease: string): Promise<boolean> {
  const { modules, builtIn } = await readKernelModules(files, kernelRelease);
  return modules.has("dm_crypt") || builtIn.has("dm_crypt");
}

async function readKernelModules(files: ImageFiles, kernelRelease: string): Promise<KernelModules> {
  const folder = kernelFolder(kernelRelease);
  const text = async (name: string) => Buffer.from(await files.read(`${folder}/${name}`)).toString("utf8");
  return parseKernelModules(await text("modules.dep"), await text("modules.builtin"));
}

function unknownModule(kernelRelease: string, name: string): SealrootError {
  return new SealrootError("not-found", `Cannot build the initramfs: kernel ${kernelRelease} has no module ${name}`, {
    path: `${kernelFolder(kernelRelease)}/modules.dep`,
    hint: "give its name as modinfo(8) does; a module that was put in later needs depmod(8) in the image",
  });
}

/** One module, decompressed. The largest that is taken of Debian 13's kernel has 0.9 MB; with debug information, 30 times that. */
export const MODULE_MAX_BYTES = 64 * 1024 * 1024;
/** All modules of the initramfs; those of Debian 13's kernel have 3.3 MB. */
export const MODULES_MAX_BYTES = 256 * 1024 * 1024;

const COMPRESSED = /\.(xz|zst|gz)$/;

/** Decompressed here, as finit_module(2) is called without a flag; the appended signature stays valid. */
async function decompressModules(modules: readonly ModuleFile[], budget: UnpackBudget): Promise<ModuleFile[]> {
  const sizes = new ModuleSizes(budget);
  const unpacked = await decompressXz(
    modules.filter(({ fileName }) => fileName.endsWith(".xz")),
    sizes,
  );
  return modules.map(({ fileName, bytes }) => {
    const fromXz = unpacked.get(fileName);
    const plain = fromXz ?? decompressed(fileName, bytes);
    if (fromXz === undefined) sizes.add(fileName, plain.length);
    return { fileName: fileName.replace(COMPRESSED, ""), bytes: plain };
  });
}

/** Sums up what modules decompress to. */
class ModuleSizes {
  readonly #budget: UnpackBudget;
  #totalBytes = 0;

  constructor(budget: UnpackBudget) {
    this.#budget = budget;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** @throws SealrootError `unsupported` for too large a module, or too many */
  add(fileName: string, sizeBytes: number): void {
    this.#totalBytes += sizeBytes;
    if (sizeBytes > MODULE_MAX_BYTES) throw tooLarge(fileName, "decompresses", MODULE_MAX_BYTES);
    if (this.#totalBytes > MODULES_MAX_BYTES) {
      throw tooLarge(fileName, "and those before it decompress", MODULES_MAX_BYTES);
    }
    // What is not compressed was drawn as a file.
    if (isCompressed(fileName)) this.#budget.take(`module ${fileName}`, sizeBytes);
  }
}

function isCompressed(fileName: string): boolean {
  return COMPRESSED.test(fileName);
}

function decompressed(fileName: string, bytes: Uint8Array): Uint8Array {
  try {
    if (fileName.endsWith(".zst")) return unzstdWhole(bytes, MODULE_MAX_BYTES, "unsupported");
    return fileName.endsWith(".gz") ? gunzipSync(bytes, { maxOutputLength: MODULE_MAX_BYTES }) : bytes;
  } catch (error) {
    if (isTooLarge(error)) throw tooLarge(fileName, "decompresses", MODULE_MAX_BYTES);
    throw corrupt(`Cannot build the initramfs: module ${fileName} cannot be decompressed: ${reasonOf(error)}`, {
      path: fileName,
    });
  }
}

function isTooLarge(error: unknown): boolean {
  return hasErrno(error, "ERR_BUFFER_TOO_LARGE") || (error instanceof SealrootError && error.code === "unsupported");
}

function tooLarge(fileName: string, problem: string, limitBytes: number): SealrootError {
  const what = `Cannot build the initramfs: module ${fileName} ${problem} to more than ${limitBytes} bytes`;
  return new SealrootError("unsupported", what, { path: fileName, expected: `at most ${limitBytes} bytes` });
}

/** What xz itself may take: its dictionary. Modules have one of 2 MiB; the format allows 4 GiB. */
const XZ_MEMORY = "--memlimit-decompress=256MiB";

/** All in two processes: starting one from a large process costs 20 ms and more. Names of modules are unique. */
async function decompressXz(modules: readonly ModuleFile[], sizes: ModuleSizes): Promise<Map<string, Uint8Array>> {
  if (modules.length === 0) return new Map();
  using directory = temporaryDirectory();
  const pathOf = ({ fileName }: ModuleFile) => join(directory.path, fileName);
  await Promise.all(modules.map((module) => writeFile(pathOf(module), module.bytes)));
  const paths = modules.map(pathOf);
  const list = (await runTool("xz", ["--robot", "--list", ...paths])).stdout.toString("latin1");
  const listed = modules.map(({ fileName }, index) => ({ fileName, sizeBytes: xzSize(list, index, fileName) }));
  for (const { fileName, sizeBytes } of listed) sizes.add(fileName, sizeBytes);
  const words = [XZ_MEMORY, "--decompress", "--stdout", ...paths];
  const { stdout } = await runTool("xz", words, { outputLimitBytes: sizes.totalBytes });
  const unpacked = new Map<string, Uint8Array>();
  let at = 0;
  for (const { fileName, sizeBytes } of listed) {
    unpacked.set(fileName, stdout.subarray(at, at + sizeBytes));
    at += sizeBytes;
  }
  return unpacked;
}

/**
 * The uncompressed size of one file, a line each: `file`, streams, blocks, compressed, uncompressed … (xz(1), "ROBOT
 * MODE").
 * @throws SealrootError `failed` when xz says something else
 */
function xzSize(list: string, index: number, fileName: string): number {
  const line = list.split("\n").filter((candidate) => candidate.startsWith("file\t"))[index];
  const sizeBytes = Number(line?.split("\t")[4]);
  if (Number.isSafeInteger(sizeBytes)) return sizeBytes;
  const what = `Cannot build the initramfs: xz does not say how large module ${fileName} is`;
  throw new SealrootError("failed", what, { path: fileName, ...(line !== undefined && { actual: line }) });
}
