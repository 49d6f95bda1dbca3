/** What every initramfs of ours holds: boot program, small programs, modules, configuration, permit, list of objects. */
import { parseRootConfiguration, ROOT_CONFIGURATION_PATH, UNSEALED_PERMIT } from "../../bootplan/index.ts";
import type { CpioEntry } from "../../cpio/index.ts";
import { readElf } from "../../elf/index.ts";
import type { ImageFiles } from "../../tree/index.ts";
import { hasFileAt } from "../../tree/index.ts";
import type { UnpackBudget } from "../unpack-budget.ts";
import { checkBootNeeds, checkInterpreter } from "./boot-needs.ts";
import { readBootProgram } from "./boot-program.ts";
import { collectImageModules, type ImageModules, kernelEncrypts, type ModuleFile } from "./image-modules.ts";
import {
  collectImagePrograms,
  findUnlockParts,
  type GivenProgram,
  type ImageProgramName,
  type ImagePrograms,
  programOf,
  type UnlockParts,
} from "./image-programs.ts";
import { BASE, file, program } from "./layout.ts";
import { machineCodePrograms } from "./machine-code/index.ts";

/** What the initramfs knows about the one root that it makes. */
export interface SealedRoot {
  /** The text of its permit (bootplan/permit.ts). */
  readonly permit: string;
  /** Hex ids of all objects of the image, in any order. */
  readonly objectIds: Iterable<string>;
}

/** What whoever wants an initramfs says about it. */
export interface InitramfsOptions {
  /** The folder of /usr/lib/modules whose kernel is booted. */
  readonly kernelRelease: string;
  /** Undefined for an initramfs that is a file of the image: it can know nothing of the image that holds it. */
  readonly sealedRoot: SealedRoot | undefined;
  /** What is unpacked of the image draws from it; from one of its own when absent. */
  readonly budget?: UnpackBudget;
  /** The QuickJS that runs the boot program, for an image that has none. */
  readonly interpreter?: GivenProgram | undefined;
  /** Modules that the root's disk needs besides the usual ones, by their names. */
  readonly diskModules?: readonly string[] | undefined;
}

export interface CommonOptions extends InitramfsOptions {
  readonly programs: readonly ImageProgramName[];
  /** Whether the initramfs finds its disk with our modules. */
  readonly withDisks: boolean;
}

export interface CommonParts {
  /** Everything under our own directory, without the image's libraries. */
  readonly entries: CpioEntry[];
  /** The programs in them, and the libraries that they need. */
  readonly image: ImagePrograms;
}

/**
 * Collects what is needed from the image, and refuses one whose kernel or mount(8) is too old for the boot program.
 *
 * @throws SealrootError as {@link collectImagePrograms}, {@link collectImageModules} and {@link checkBootNeeds}; `corrupt`
 *   when the image's setup-root-conf.toml is wrong: better now than at boot
 */
export async function collectCommonParts(files: ImageFiles, options: CommonOptions): Promise<CommonParts> {
  const { kernelRelease, sealedRoot, withDisks, budget, interpreter } = options;
  const unlock = withDisks ? await findUnlock(files, kernelRelease) : undefined;
  const programs = [...options.programs, ...(unlock?.programs ?? [])];
  const image = await collectImagePrograms(files, programs, { interpreter, libraries: unlock?.libraries ?? [] });
  const { loopFor } = checkBootNeeds(kernelRelease, programOf(image, "mount").bytes);
  const qjs = programOf(image, "qjs");
  checkInterpreter(qjs.requestedPath, qjs.bytes);
  const disks = withDisks ? (options.diskModules ?? []) : undefined;
  const wanted = { disks, loopFor, opensEncrypted: unlock !== undefined };
  const modules = await collectImageModules(files, kernelRelease, wanted, budget);
  const entries = await commonEntries(files, image, modules, sealedRoot);
  if (loopFor !== undefined) entries.push(file(`${BASE}/loop`, new Uint8Array(0)));
  return { entries, image };
}

/** Of an image with all that an encrypted root needs, the kernel included. */
async function findUnlock(files: ImageFiles, kernelRelease: string): Promise<UnlockParts | undefined> {
  const parts = findUnlockParts(files);
  return parts !== undefined && (await kernelEncrypts(files, kernelRelease)) ? parts : undefined;
}

async function commonEntries(
  files: ImageFiles,
  image: ImagePrograms,
  modules: ImageModules,
  sealedRoot: SealedRoot | undefined,
): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const module of await readBootProgram()) {
    entries.push(file(`${BASE}/program/${module.path}`, Buffer.from(module.source)));
  }
  let machine = 0;
  for (const [name, { bytes }] of image.programs) {
    machine = readElf(bytes, name).machine;
    if (name !== "sh") entries.push(program(`${BASE}/bin/${name}`, bytes));
  }
  const own = machineCodePrograms(machine);
  for (const [name, bytes] of Object.entries(own)) entries.push(program(`${BASE}/bin/${name}`, bytes));
  entries.push(...moduleEntries(modules));
  entries.push(file(`${BASE}/permit`, Buffer.from(sealedRoot?.permit ?? UNSEALED_PERMIT)));
  const configuration = hasFileAt(files, ROOT_CONFIGURATION_PATH)
    ? await files.read(ROOT_CONFIGURATION_PATH)
    : undefined;
  if (configuration !== undefined) entries.push(file(`${BASE}/setup-root-conf.toml`, configuration));
  const { checkObjects } = parseRootConfiguration(configuration && Buffer.from(configuration).toString("utf8"));
  if (checkObjects && sealedRoot !== undefined) entries.push(file(`${BASE}/objects`, objectList(sealedRoot.objectIds)));
  return entries;
}

/** Binary, in order: objects of one directory together are found faster, and the bytes do not depend on the tree. */
function objectList(ids: Iterable<string>): Uint8Array {
  const sorted = [...ids].sort();
  // Not joined as text: of a million objects that would be 128 MB more.
  const list = Buffer.alloc(sorted.reduce((sum, id) => sum + id.length / 2, 0));
  let at = 0;
  for (const [index, id] of sorted.entries()) {
    if (id !== sorted[index - 1]) at += list.write(id, at, "hex");
  }
  return list.subarray(0, at);
}

/** The module files with their load orders, as `initramfs/kernel-modules.ts` reads them. */
function moduleEntries(image: ImageModules): CpioEntry[] {
  const { kernelRelease, modules, slowModules, watchdogModules, cryptModules } = image;
  const folder = `${BASE}/modules/${kernelRelease}`;
  const order = (list: readonly ModuleFile[]) => Buffer.from(list.map(({ fileName }) => `${fileName}\n`).join(""));
  const carried = new Set([...modules, ...slowModules, ...watchdogModules, ...(cryptModules ?? [])]);
  return [
    file(`${folder}/order`, order(modules)),
    file(`${folder}/order-slow`, order(slowModules)),
    file(`${folder}/order-watchdog`, order(watchdogModules)),
    ...(cryptModules === undefined ? [] : [file(`${folder}/order-crypt`, order(cryptModules))]),
    ...[...carried].map(({ fileName, bytes }) => file(`${folder}/${fileName}`, bytes)),
  ];
}
