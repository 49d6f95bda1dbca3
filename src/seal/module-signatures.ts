/**
 * Kernel modules that did not come with the kernel (DKMS, akmods, a vendor's): unsigned ones are refused at boot by a kernel
 * that Secure Boot locks down, so it is said when the image is sealed.
 */
import { gunzipSync } from "node:zlib";
import { kernelFolder } from "../bootimage/index.ts";
import { type KernelModules, parseKernelModules } from "../elf/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runTool } from "../platform/index.ts";
import type { ImageFiles } from "../tree/index.ts";
import { unzstdWhole } from "../zstd/index.ts";

/** The end of a signed module (Linux include/linux/module_signature.h, MODULE_SIG_STRING). */
const MARK = "~Module signature appended~\n";
/** Modules of the kernel's own package; others are in `updates`, `extra` or a folder of their own (depmod.d(5)). */
const OWN_FOLDER = "kernel/";
/** A module that unpacks to more is not looked into: NVIDIA's largest has 100 MB. One is in memory at a time. */
const MODULE_MAX_BYTES = 512 * 1024 * 1024;
const SHOWN = 5;

/**
 * The modules of a kernel that are neither its own nor signed, as modules.dep names them. A kernel whose own modules are
 * not signed takes any.
 */
export async function findUnsignedModules(files: ImageFiles, kernelRelease: string): Promise<readonly string[]> {
  const folder = kernelFolder(kernelRelease);
  const kernel = await readModules(files, folder);
  const paths = [...kernel.modules.values()].map(({ path }) => path);
  const own = paths.find((path) => path.startsWith(OWN_FOLDER));
  const foreign = paths.filter((path) => !path.startsWith(OWN_FOLDER));
  const isSigned = async (path: string) => endsInMark(path, await files.read(`${folder}/${path}`));
  if (own === undefined || foreign.length === 0 || !(await isSigned(own))) return [];
  const unsigned: string[] = [];
  for (const path of foreign) if (!(await isSigned(path))) unsigned.push(path);
  return unsigned;
}

/** What a person is told of them. */
export function unsignedModulesText(paths: readonly string[]): string {
  const shown = paths.slice(0, SHOWN).join(", ");
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : "";
  return (
    `Kernel modules without a signature, which the kernel refuses when Secure Boot locks it down: ${shown}${more}; ` +
    "sign them with sign-file of the kernel's build tools, with a key that is in db (docs/shapes.md)"
  );
}

async function readModules(files: ImageFiles, folder: string): Promise<KernelModules> {
  const text = async (name: string) => Buffer.from(await files.read(`${folder}/${name}`)).toString("utf8");
  return parseKernelModules(await text("modules.dep"), "");
}

/** A file that is damaged or unpacks to too much has no signature that could be seen, and cannot be loaded either. */
async function endsInMark(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    return Buffer.from(await moduleEnd(path, bytes))
      .toString("latin1")
      .endsWith(MARK);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "missing-tool") throw error;
    return false;
  }
}

async function moduleEnd(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (path.endsWith(".zst")) return unzstdWhole(bytes, MODULE_MAX_BYTES, "unsupported").subarray(-MARK.length);
  if (path.endsWith(".gz")) return gunzipSync(bytes, { maxOutputLength: MODULE_MAX_BYTES }).subarray(-MARK.length);
  if (!path.endsWith(".xz")) return bytes.subarray(-MARK.length);
  const unpack = `xz --decompress --stdout | tail --bytes=${MARK.length}`;
  return (await runTool("sh", ["-c", unpack], { input: bytes })).stdout;
}
