/** What an unsealed image brings for its boot, beside kernel and initramfs; and what its own kernel arguments are. */
import { SealrootError } from "../errors/index.ts";
import { hasFileAt, type TreeFiles } from "../tree/index.ts";
import { type Architecture, installableArchitecture } from "./architecture.ts";
import { type EnrolmentFile, findEnrolmentFiles, requireLoader } from "./contents.ts";
import { type BootProgram, findBootProgram } from "./initramfs-program.ts";
import { imageKernelArguments, readKargsFiles } from "./kernel-arguments.ts";
import { OS_RELEASE_PATH } from "./layout.ts";
import { readType1Files, type Type1Files, type Type1Paths } from "./type1.ts";

/** What goes from an unsealed image to the ESP, and into its boot entry. */
export interface Type1Contents {
  readonly architecture: Architecture;
  readonly paths: Type1Paths;
  readonly files: Type1Files;
  readonly loader: Uint8Array;
  readonly loaderPath: string;
  /** Empty when the image has none. */
  readonly osRelease: string;
  readonly enrolmentFiles: readonly EnrolmentFile[];
  /** From the image's `kargs.d`. */
  readonly kernelArguments: readonly string[];
}

/**
 * @param architectureName the image's, as its configuration says
 * @param warn is told what is odd about the image
 * @throws SealrootError `unsupported` for an image that lacks a part, whose initramfs would not make the root, or whose
 *   `kargs.d` name image or disk; as readType1Files
 */
export async function findType1Contents(
  image: TreeFiles,
  architectureName: string,
  paths: Type1Paths,
  warn: (text: string) => void,
): Promise<Type1Contents> {
  const architecture = installableArchitecture(architectureName);
  const files = readType1Files(image, paths, architecture);
  checkInitramfs(files.initramfs, paths, warn);
  const loaderPath = requireLoader(image, architecture.efi);
  const release = hasFileAt(image, OS_RELEASE_PATH) ? image.read(OS_RELEASE_PATH) : new Uint8Array(0);
  return {
    architecture,
    paths,
    files,
    loader: image.read(loaderPath),
    loaderPath,
    osRelease: Buffer.from(release).toString("utf8"),
    enrolmentFiles: findEnrolmentFiles(image),
    kernelArguments: await type1KernelArguments(image, architecture, warn),
  };
}

/**
 * The arguments of an image's `kargs.d` as a host without seal takes them.
 * @throws SealrootError as imageKernelArguments
 */
export async function type1KernelArguments(
  image: TreeFiles,
  { machine }: Architecture,
  warn?: (text: string) => void,
): Promise<string[]> {
  return imageKernelArguments(await readKargsFiles(image), machine, warn, "installed");
}

/** One that mounts the disk itself as the root would boot into the repository, or not at all. */
function checkInitramfs(
  initramfs: Uint8Array,
  { initramfsPath: path }: Type1Paths,
  warn: (text: string) => void,
): void {
  let program: BootProgram | undefined;
  try {
    program = findBootProgram(initramfs);
  } catch (error) {
    if (!(error instanceof SealrootError) || error.code !== "unsupported") throw error;
    warn(`The initramfs ${path} was not looked into (${error.message}): see that it mounts a composefs root`);
    return;
  }
  if (program !== undefined) return;
  throw new SealrootError(
    "unsupported",
    `Cannot install the image: its initramfs ${path} has no program that mounts a composefs root`,
    {
      path,
      expected: "sealroot's, bootc's initramfs-setup, or composefs-setup-root",
      hint: "give it one: sealroot image add-initramfs IMAGE -o IMAGE, or bootc's dracut module",
    },
  );
}
