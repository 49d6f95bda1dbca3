/** The kernel modules that the initramfs loads, out of the image, decompressed. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { moduleLoadOrder, parseKernelModules } from "../../elf/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { runTool, temporaryDirectory } from "../../platform/index.ts";
import type { ImageFiles } from "../image-files.ts";

/**
 * What a root needs of the kernel: without one of these, built in or as a module, there is no sealed root.
 */
const REQUIRED = ["erofs", "overlay"];

/** Loaded first, so that the first use of a hash finds the fast implementation (spec/boot-chain.md C, "-cpu"). */
const HASHES = ["sha256_ssse3", "sha512_ssse3", "sha2_ce", "sha512_ce", "crc32c_generic", "crc32c_intel"];

/** The disks that most machines boot from, the file system on them, and the boot loader's variables. */
const DISKS = ["virtio_pci", "virtio_blk", "nvme", "ext4", "efivarfs"];

/** The other disks. Their drivers take 0.6 s in emulation, so they wait until a root is not there without them. */
const SLOW_DISKS = ["virtio_scsi", "ahci", "sd_mod"];

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
  /** Loop devices need no module. */
  readonly loopIsBuiltIn: boolean;
}

/**
 * Collects the modules of a kernel that exist, with what they need.
 *
 * @param withDisks whether the initramfs finds its disk with our modules
 * @throws SealrootError `unsupported` when the kernel has no EROFS or no overlayfs, `not-found` without modules.dep
 */
export async function collectImageModules(
  files: ImageFiles,
  kernelRelease: string,
  withDisks: boolean,
): Promise<ImageModules> {
  const folder = `/usr/lib/modules/${kernelRelease}`;
  const text = async (name: string) => Buffer.from(await files.read(`${folder}/${name}`)).toString("utf8");
  const kernel = parseKernelModules(await text("modules.dep"), await text("modules.builtin"));
  for (const name of REQUIRED) {
    if (!kernel.modules.has(name) && !kernel.builtIn.has(name)) {
      throw new SealrootError("unsupported", `Cannot build the initramfs: kernel ${kernelRelease} has no ${name}`, {
        path: folder,
        hint: "use a kernel with EROFS and overlayfs (Linux 6.12 or later)",
      });
    }
  }
  const first = moduleLoadOrder(kernel, [...HASHES, ...(withDisks ? DISKS : ["efivarfs"]), ...REQUIRED]);
  const slow = moduleLoadOrder(kernel, withDisks ? SLOW_DISKS : []).filter((path) => !first.includes(path));
  const read = async (path: string): Promise<ModuleFile> => ({
    fileName: path.slice(path.lastIndexOf("/") + 1),
    bytes: await files.read(`${folder}/${path}`),
  });
  const all = await decompressModules(await Promise.all([...first, ...slow].map(read)));
  return {
    kernelRelease,
    modules: all.slice(0, first.length),
    slowModules: all.slice(first.length),
    loopIsBuiltIn: kernel.builtIn.has("loop"),
  };
}

/** Decompressed here, as finit_module(2) is called without a flag; the appended signature stays valid. */
async function decompressModules(modules: readonly ModuleFile[]): Promise<ModuleFile[]> {
  const unpacked = await decompressXz(modules.filter(({ fileName }) => fileName.endsWith(".xz")));
  return modules.map(({ fileName, bytes }) => {
    const plainName = fileName.replace(/\.(xz|zst|gz)$/, "");
    if (fileName.endsWith(".zst")) return { fileName: plainName, bytes: zstdDecompressSync(bytes) };
    if (fileName.endsWith(".gz")) return { fileName: plainName, bytes: gunzipSync(bytes) };
    return { fileName: plainName, bytes: unpacked.get(fileName) ?? bytes };
  });
}

/** All in one process: starting one from a large process costs 20 ms and more. Names of modules are unique. */
async function decompressXz(modules: readonly ModuleFile[]): Promise<Map<string, Uint8Array>> {
  if (modules.length === 0) return new Map();
  using directory = temporaryDirectory();
  const paths = modules.map(({ fileName }) => join(directory.path, fileName));
  await Promise.all(modules.map(({ bytes }, index) => writeFile(paths[index] ?? "", bytes)));
  await runTool("xz", ["--decompress", ...paths]);
  const read = async (path: string, { fileName }: ModuleFile) =>
    [fileName, await readFile(path.replace(/\.xz$/, ""))] as const;
  return new Map(await Promise.all(modules.map((module, index) => read(paths[index] ?? "", module))));
}
