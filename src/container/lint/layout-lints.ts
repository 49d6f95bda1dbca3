/** Lints about what an image must have, and must not have, at the top. */

import { parseIni } from "../../bls/index.ts";
import { findKernelReleases, imageKernelArguments, readKargsFiles } from "../../bootimage/index.ts";
import { byteStringOfText } from "../../bytes/index.ts";
import { type DirectoryNode, lookupPath, sortedNames, type TreeNode } from "../../tree/index.ts";
import { buildMachine } from "../inspect-root.ts";
import { itemList, quotedPath } from "./items.ts";
import type { Lint, LintContext } from "./lint.ts";

/** What systemd mounts, or expects (https://systemd.io/API_FILE_SYSTEMS/), and `/var`, where the state is. */
const API_DIRECTORIES = ["dev", "proc", "sys", "run", "tmp", "var"];
/** bootc's own copy of what an image should begin with, if the image has it: checked as well. */
const REFERENCE_TREE = "usr/share/doc/bootc/baseimage/base";
const PREPARE_ROOT = "ostree/prepare-root.conf";
const OSTREE_TARGET = "sysroot/ostree";
/** ostree reads these as yes (ostree-prepare-root(1), composefs.enabled). */
const COMPOSEFS_ON = ["yes", "true", "1", "maybe", "signed", "verity"];

const lookUp = (root: DirectoryNode, path: string): TreeNode | undefined =>
  lookupPath(root, byteStringOfText(`/${path}`));

/** The file that ostree reads, of the two places. */
export function prepareRootPath(root: DirectoryNode): string | undefined {
  return ["etc", "usr/lib"]
    .map((folder) => `${folder}/${PREPARE_ROOT}`)
    .find((path) => lookUp(root, path) !== undefined);
}

export const LAYOUT_LINTS: readonly Lint[] = [
  {
    name: "api-base-directories",
    type: "fatal",
    description: `The directories on which systemd mounts kernel and temporary file systems must be there, and /var, which
holds the state. See https://systemd.io/API_FILE_SYSTEMS/.`,
    check: ({ directory: { root } }) => {
      for (const name of API_DIRECTORIES) {
        const node = lookUp(root, name);
        if (node === undefined) return `Missing directory of the API file systems: /${name}`;
        if (node.kind !== "directory") return `Not a directory, one of the API file systems belongs there: /${name}`;
      }
      return undefined;
    },
  },
  {
    name: "baseimage-composefs",
    type: "warning",
    backend: "ostree",
    description: "ostree's own configuration must switch composefs on. Only for images that have that configuration.",
    check: (context) => eachBase(context, composefsFault),
  },
  {
    name: "baseimage-root",
    type: "fatal",
    backend: "ostree",
    description: "What ostree needs at the top of an image: the directory /sysroot, and the link /ostree into it.",
    check: (context) => eachBase(context, ostreeLayoutFault),
  },
  {
    name: "bootc-kargs",
    type: "fatal",
    description: "The files of kernel arguments in /usr/lib/bootc/kargs.d must be readable as what they are.",
    check: async ({ directory }) => {
      imageKernelArguments(await readKargsFiles(directory.files), buildMachine(), () => {}, "nothing");
      return undefined;
    },
  },
  {
    name: "buildah-injected",
    type: "warning",
    rootType: "alternative",
    description: `An empty /etc/hostname or /etc/resolv.conf comes from a container engine that needed a place to mount its own:
the system would have no name, or no resolver.`,
    check: ({ directory }) => {
      for (const name of ["etc/hostname", "etc/resolv.conf"]) {
        const node = directory.lookUp(`/${name}`);
        if (node?.kind === "file" && directory.factsOf(node).sizeBytes === 0) {
          return `/${name} is empty: a container engine may have left it`;
        }
      }
      return undefined;
    },
  },
  {
    name: "etc-usretc",
    type: "fatal",
    description: "/usr/etc is a detail of ostree's deployments. An image has /etc, never both.",
    check: ({ directory: { root } }) => {
      const both = lookUp(root, "etc") !== undefined && lookUp(root, "usr/etc") !== undefined;
      return both ? "Found /usr/etc beside /etc: images have their configuration in /etc alone" : undefined;
    },
  },
  {
    name: "kernel",
    type: "fatal",
    description: "An image has one kernel, below /usr/lib/modules: of several, none is the one to boot.",
    check: ({ directory }) => {
      const releases = findKernelReleases(directory.files);
      return releases.length > 1 ? `Found several kernels in /usr/lib/modules: ${releases.join(", ")}` : undefined;
    },
  },
  {
    name: "nonempty-boot",
    type: "warning",
    description: `/boot must be there and empty, apart from EFI: a disk has its own files there, so those of the image are never
seen. A kernel belongs into /usr/lib/modules.`,
    check: (context) => {
      const boot = lookUp(context.directory.root, "boot");
      if (boot?.kind !== "directory") return "Missing directory /boot";
      const names = sortedNames(boot).filter((name) => name !== "EFI");
      return itemList("Found files in /boot", names.map(quotedPath), context) || undefined;
    },
  },
  {
    name: "var-run",
    type: "fatal",
    description: "/var/run is a link to /run. A directory of that name hides what programs look for there.",
    check: ({ directory: { root } }) => {
      const node = lookUp(root, "var/run");
      return node !== undefined && node.kind !== "symlink" ? "Not a symbolic link: /var/run" : undefined;
    },
  },
];

/** The image itself and the tree of reference, the first fault of both. */
function eachBase(context: LintContext, fault: (root: DirectoryNode, context: LintContext) => string | undefined) {
  const own = fault(context.directory.root, context);
  if (own !== undefined) return own;
  const reference = lookUp(context.directory.root, REFERENCE_TREE);
  const found = reference?.kind === "directory" ? fault(reference, context) : undefined;
  return found === undefined ? undefined : `${found} (in /${REFERENCE_TREE})`;
}

function composefsFault(root: DirectoryNode, { directory }: LintContext): string | undefined {
  const path = prepareRootPath(root);
  if (path === undefined) return `${PREPARE_ROOT} is not there, which would switch composefs on`;
  const prefix = root === directory.root ? "" : `/${REFERENCE_TREE}`;
  const text = Buffer.from(directory.readAt(byteStringOfText(`${prefix}/${path}`))).toString("utf8");
  const ini = parseIni(text);
  const isTransient = ["true", "1"].includes(ini.get("root")?.get("transient") ?? "");
  const isOn = COMPOSEFS_ON.includes(ini.get("composefs")?.get("enabled") ?? "");
  return isTransient || isOn ? undefined : `${path} does not switch composefs on`;
}

function ostreeLayoutFault(root: DirectoryNode): string | undefined {
  const sysroot = lookUp(root, "sysroot");
  if (sysroot === undefined) return "Missing directory /sysroot";
  if (sysroot.kind !== "directory") return "Not a directory: /sysroot";
  const link = lookUp(root, "ostree");
  if (link === undefined) return `Missing link /ostree to ${OSTREE_TARGET}`;
  if (link.kind !== "symlink") return "Not a symbolic link: /ostree";
  return link.target === OSTREE_TARGET
    ? undefined
    : `Expected /ostree to lead to ${OSTREE_TARGET}, not to ${quotedPath(link.target)}`;
}
