/** The names of CPU architectures in different places. Each row has a boot chain here. */
import { SealrootError } from "../errors/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";

interface ArchitectureRow {
  /** As an OCI image configuration names it (GOARCH), and Debian. */
  readonly oci: string;
  /** As the kernel names it (uname(2), `machine`), and Rust, whose names `kargs.d` and install configuration use. */
  readonly machine: string;
  /** As Node names it (`process.arch`). */
  readonly node: string;
  /** The suffix of EFI programs: `systemd-bootx64.efi`. */
  readonly efi: EfiArchitecture;
  /**
   * Type GUID of its root partition, in lower case (UAPI Discoverable Partitions Specification). The boot program
   * repeats this column in `bootplan/root-device.ts`: it carries no more than it needs, and imports point downwards.
   */
  readonly rootPartitionType: string;
}

/** The rows by their OCI names. */
export const ARCHITECTURES = {
  amd64: {
    oci: "amd64",
    machine: "x86_64",
    node: "x64",
    efi: "x64",
    rootPartitionType: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
  },
  arm64: {
    oci: "arm64",
    machine: "aarch64",
    node: "arm64",
    efi: "aa64",
    rootPartitionType: "b921b045-1df0-41c3-af44-4c6f280d3fae",
  },
} as const satisfies Readonly<Record<string, ArchitectureRow>>;

/** As OCI images name it. */
export type ArchitectureName = keyof typeof ARCHITECTURES;

export type Architecture = (typeof ARCHITECTURES)[ArchitectureName];

/** All names of one kind, for messages. */
export function architectureNames(kind: "oci" | "node"): string[] {
  return Object.values(ARCHITECTURES).map((row) => row[kind]);
}

/** The architecture with this name; undefined for one without a UEFI boot chain here. */
export function findArchitecture(kind: "oci" | "node", name: string): Architecture | undefined {
  return Object.values(ARCHITECTURES).find((row) => row[kind] === name);
}

/**
 * The architecture of an image that is to be installed.
 *
 * @param name as its configuration says
 * @throws SealrootError `unsupported` for one without a UEFI boot chain here
 */
export function installableArchitecture(name: string): Architecture {
  const architecture = findArchitecture("oci", name);
  if (architecture !== undefined) return architecture;
  throw new SealrootError("unsupported", `Cannot install the image: architecture ${name} is not known`, {
    expected: architectureNames("oci").join(", "),
    actual: name,
  });
}
