/** What `container inspect` says of an image: its kernel and its own kernel arguments (bootc 1.17, spec.rs). */

import { CommandLine } from "../bls/index.ts";
import { findArchitecture, imageKernelArguments, readKargsFiles } from "../bootimage/index.ts";
import { findImageKernel, type KernelType } from "./image-kernel.ts";
import type { RootDirectory } from "./root-directory.ts";

/** The document that `--json` prints, key for key. */
export interface RootInspection {
  readonly kargs: readonly string[];
  readonly kernel: { readonly version: string; readonly unified: boolean; readonly type: KernelType } | null;
}

/**
 * @throws SealrootError `corrupt` for a file of arguments that cannot be read, and as {@link findImageKernel}
 */
export async function inspectRoot(directory: RootDirectory): Promise<RootInspection> {
  const kargs = await kernelArgumentsOf(directory);
  const kernel = findImageKernel(directory);
  if (kernel === undefined) return { kargs, kernel: null };
  const { version, type } = kernel;
  return { kargs, kernel: { version, unified: type === "uki" || type === "aboot-efi", type } };
}

/** The rows that people read, labels to the right. */
export function inspectionRows({ kargs, kernel }: RootInspection): string[] {
  const rows: [string, string][] = [["Kernel", kernel?.version ?? "<none>"]];
  if (kernel !== null) rows.push(["Type", kernel.type === "uki" ? "UKI" : kernel.type]);
  rows.push(["Kargs", kargs.length === 0 ? "<none>" : kargs.join(" ")]);
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padStart(width)}: ${value}`);
}

/**
 * The arguments of `kargs.d` for the machine that builds, as bootc takes them.
 * @throws SealrootError `corrupt` for a file that cannot be read
 */
export async function kernelArgumentsOf(directory: RootDirectory): Promise<string[]> {
  const files = await readKargsFiles(directory.files);
  const words = imageKernelArguments(files, buildMachine(), () => {}, "nothing");
  return CommandLine.parse(words.join(" ")).arguments.map(({ text }) => text);
}

/** As Rust and the kernel call the architecture of this machine. */
export function buildMachine(): string {
  return findArchitecture("node", process.arch)?.machine ?? process.arch;
}
