/** Lints of our own: what `seal` would refuse, said while the image is built; and whether a sealed one is still what was sealed. */
import {
  CommandLine,
  checkCommandLine,
  composefsWords,
  findComposefsArguments,
  SEALED_LINE_KEYS,
} from "../../bls/index.ts";
import {
  type Architecture,
  findArchitecture,
  findBootProgram,
  findUnsealedContents,
  imageKernelArguments,
  readKargsFiles,
  type UnsealedContents,
} from "../../bootimage/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { readUki } from "../../pe/index.ts";
import { directoryTree, imageIdOfTree } from "../../repository/index.ts";
import { checkState, makeInitramfs, readBootPrograms, SEAL_ALGORITHM, UnpackBudget } from "../../seal/index.ts";
import type { BootTimes } from "../../tree/index.ts";
import { findImageKernel } from "../image-kernel.ts";
import { buildMachine } from "../inspect-root.ts";
import type { RootDirectory } from "../root-directory.ts";
import type { Lint } from "./lint.ts";

/** Digits of a digest, of which the line will have two. */
const PLACEHOLDER = "0".repeat(128);

export const SEALING_LINTS: readonly Lint[] = [
  {
    name: "seal-command-line",
    type: "fatal",
    backend: "composefs",
    description: `The kernel arguments of the image go into a signed command line. Those that would choose another root or init, or let
a boot end in a shell, are refused when it is sealed, and so is a line that is longer than the kernel reads.`,
    check: async ({ directory }) => {
      const words = imageKernelArguments(await readKargsFiles(directory.files), buildMachine());
      const images = [`composefs.digest=v1-sha512-12:${PLACEHOLDER}`, `composefs=${PLACEHOLDER}`];
      checkCommandLine([...images, "rw", ...words].join(" "), {
        what: "the kernel arguments of the image",
        decidedKeys: SEALED_LINE_KEYS,
        architecture: ownArchitecture().efi,
      });
      return undefined;
    },
  },
  {
    name: "seal-contents",
    type: "fatal",
    backend: "composefs",
    description: `What sealing takes from the image must be there: one kernel, systemd-boot, its stub and os-release, each for the
image's machine, and the empty directories /boot and /sysroot.`,
    check: async ({ directory }) => {
      if (isSealed(directory)) return undefined;
      const architecture = ownArchitecture();
      const contents = findUnsealedContents(directory.files, architecture);
      await readBootPrograms(directory.files, contents, architecture, { loader: undefined, stub: undefined });
      return undefined;
    },
  },
  {
    name: "seal-digest",
    type: "fatal",
    backend: "composefs",
    rootType: "alternative",
    description: `A UKI in the image must name the image that it is in. Anything that is changed outside /boot after sealing, be it the
time of a directory, gives another digest, and the system does not start.`,
    check: ({ directory }) => digestFault(directory),
  },
  {
    name: "seal-initramfs",
    type: "warning",
    backend: "composefs",
    description: `Something must make the root at boot: the initramfs that seal builds, which needs QuickJS and util-linux in the image,
or an initramfs of the image with bootc's program.`,
    check: ({ directory }) => (isSealed(directory) ? undefined : initramfsFault(directory)),
  },
  {
    name: "seal-state",
    type: "fatal",
    backend: "composefs",
    description:
      "Files of /etc and /var are copied to each machine: what no file system of a disk can hold cannot be installed.",
    check: ({ directory: { root } }) => {
      checkState(root);
      return undefined;
    },
  },
];

function isSealed(directory: RootDirectory): boolean {
  const kernel = findImageKernel(directory);
  return kernel !== undefined && kernel.type !== "vmlinuz";
}

function ownArchitecture(): Architecture {
  const found = findArchitecture("node", process.arch);
  if (found !== undefined) return found;
  throw new SealrootError(
    "unsupported",
    `Cannot seal an image on this machine: ${process.arch} has no boot chain here`,
  );
}

async function initramfsFault(directory: RootDirectory): Promise<string | undefined> {
  const contents: UnsealedContents = findUnsealedContents(directory.files, ownArchitecture(), {
    loader: true,
    stub: true,
  });
  const { initramfsPath } = contents;
  if (initramfsPath !== undefined && findBootProgram(directory.files.read(initramfsPath)) !== undefined)
    return undefined;
  await makeInitramfs("minimal", directory.files, contents, { sealedRoot: undefined, budget: new UnpackBudget() });
  return undefined;
}

/** The rules of all versions are tried, as bootc does (spec/upstream-1.17.md 1, row 3). */
const RULES: readonly { readonly bootTimes: BootTimes; readonly keepUserXattrs: boolean }[] = [
  { bootTimes: "full", keepUserXattrs: false },
  { bootTimes: "seconds", keepUserXattrs: false },
  { bootTimes: "full", keepUserXattrs: true },
  { bootTimes: "seconds", keepUserXattrs: true },
];

async function digestFault(directory: RootDirectory): Promise<string | undefined> {
  const kernel = findImageKernel(directory);
  if (kernel?.type !== "uki") return undefined;
  const line = CommandLine.parse(readUki(directory.files.read(kernel.path), kernel.path).commandLine ?? "");
  const wanted = findComposefsArguments(line);
  if (wanted.length === 0) return `The UKI ${kernel.path} names no image: it has no composefs argument`;
  let actual = "";
  const found = new Set<string>();
  for (const rule of RULES) {
    const root = await directoryTree(directory.path, { algorithm: SEAL_ALGORITHM, bootable: true, ...rule });
    for (const version of [1, 2] as const) {
      const id = imageIdOfTree(root, SEAL_ALGORITHM, version);
      if (actual === "") actual = id;
      found.add(id);
    }
    if (wanted.every(({ id }) => found.has(id))) return undefined;
  }
  return `The UKI ${kernel.path} names another image (${composefsWords(line).join(" ")}); the digest of this one is ${actual}`;
}
