/** What one CPU architecture is called in the different places. */
import { SealrootError } from "../errors/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";

export interface Architecture {
  /** As an OCI image configuration names it (GOARCH). */
  readonly oci: string;
  /** As Rust names it, which `kargs.d` and install configuration use. */
  readonly rust: string;
  /** The suffix of EFI programs: `systemd-bootx64.efi`. */
  readonly efi: EfiArchitecture;
}

const ARCHITECTURES: readonly Architecture[] = [
  { oci: "amd64", rust: "x86_64", efi: "x64" },
  { oci: "arm64", rust: "aarch64", efi: "aa64" },
];

/**
 * The architecture of an image configuration.
 * @throws SealrootError `unsupported` for one that has no UEFI boot chain here
 */
export function architectureOf(oci: string): Architecture {
  const found = ARCHITECTURES.find((one) => one.oci === oci);
  if (found === undefined) {
    const known = ARCHITECTURES.map((one) => one.oci).join(" or ");
    throw new SealrootError("unsupported", `Cannot seal an image for "${oci}": the boot chain needs ${known}`, {
      expected: known,
      actual: oci,
    });
  }
  return found;
}
