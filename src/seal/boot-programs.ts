/** The programs of the boot chain that are signed or built in unchanged: systemd-boot, systemd's EFI stub, kernel. */
import { createHash } from "node:crypto";
import type { Architecture, UnsealedContents } from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import { kernelRelease, parsePe, type SystemdComponent, systemdComponentOf } from "../pe/index.ts";
import type { ImageFiles } from "../tree/index.ts";

/** Which boot program to use instead of whatever the image has. */
export type PinnedProgram =
  /** This one, instead of the image's. */
  | { readonly type: "file"; readonly path: string; readonly bytes: Uint8Array }
  /** The image's, if it has this SHA-256. */
  | { readonly type: "sha256"; readonly hex: string };

/** A checked systemd program. */
export interface SystemdProgram {
  readonly bytes: Uint8Array;
  readonly version: string;
  /** Of the original bytes, before anything is signed: what pins it. */
  readonly sha256: string;
}

export interface BootPrograms {
  readonly kernel: Uint8Array;
  readonly loader: SystemdProgram;
  readonly stub: SystemdProgram;
}

const NAMES = { "systemd-boot": "systemd-boot", "systemd-stub": "the systemd EFI stub" } as const;

/**
 * Reads the boot programs and checks that each is what it should be: a PE image for the image's architecture, of the
 * kind stated in its `.sdmagic` section, and the one that was pinned. This detects a wrong file, not a program made to
 * look like the right one: only the pin does that.
 *
 * @throws SealrootError `conflict` for another architecture, kernel release or pin; `unsupported` for another program;
 *   `corrupt` for anything but a PE image
 */
export async function readBootPrograms(
  files: ImageFiles,
  components: UnsealedContents,
  architecture: Architecture,
  pins: { readonly loader: PinnedProgram | undefined; readonly stub: PinnedProgram | undefined },
): Promise<BootPrograms> {
  const read = async (component: keyof typeof NAMES, path: string, pin: PinnedProgram | undefined) => {
    if (pin?.type === "file") return checkedProgram(component, pin.path, pin.bytes, architecture);
    const program = checkedProgram(component, path, await files.read(path), architecture);
    if (pin !== undefined && pin.hex !== program.sha256) {
      throw new SealrootError("conflict", `Cannot seal the image: its ${component} (${path}) is not the pinned one`, {
        path,
        expected: `SHA-256 ${pin.hex}`,
        actual: `SHA-256 ${program.sha256} (version ${program.version})`,
      });
    }
    return program;
  };
  return {
    kernel: await readKernel(files, components, architecture),
    loader: await read("systemd-boot", components.loaderPath, pins.loader),
    stub: await read("systemd-stub", components.stubPath, pins.stub),
  };
}

function checkedProgram(
  component: SystemdComponent["component"] & keyof typeof NAMES,
  path: string,
  bytes: Uint8Array,
  architecture: Architecture,
): SystemdProgram {
  const image = parsePe(bytes, path);
  checkArchitecture(path, image.architecture, architecture);
  const found = systemdComponentOf(image);
  if (found?.component !== component) {
    throw new SealrootError("unsupported", `Cannot seal the image: ${path} is not ${NAMES[component]}`, {
      path,
      expected: `${component} in its section .sdmagic`,
      actual: found === undefined ? "no such section" : `${found.component} ${found.version}`,
    });
  }
  return { bytes, version: found.version, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function readKernel(
  files: ImageFiles,
  { kernelPath: path, kernelRelease: expected }: UnsealedContents,
  architecture: Architecture,
): Promise<Uint8Array> {
  const kernel = await files.read(path);
  refuseCompressed(kernel, path);
  checkArchitecture(path, parsePe(kernel, path).architecture, architecture);
  if (architecture.efi !== "x64") return kernel;
  const actual = kernelRelease(kernel);
  if (actual === expected) return kernel;
  throw new SealrootError("conflict", `Cannot seal the image: ${path} says it is ${actual}`, {
    path,
    expected,
    actual,
    hint: "kernel and modules must come from the same package",
  });
}

/** arm64 kernels are gzip files on some distributions (Linux Documentation/arch/arm64/booting.rst, 3); firmware unpacks none. */
function refuseCompressed(kernel: Uint8Array, path: string): void {
  if (kernel[0] !== 0x1f || kernel[1] !== 0x8b) return;
  throw new SealrootError("unsupported", `Cannot seal the image: its kernel ${path} is compressed by gzip`, {
    path,
    expected: "an EFI program",
    actual: "a gzip file",
    hint: "put the unpacked kernel there: zcat vmlinuz > vmlinuz.efi && mv vmlinuz.efi vmlinuz",
  });
}

function checkArchitecture(path: string, actual: string, { efi: expected, oci }: Architecture): void {
  if (actual === expected) return;
  throw new SealrootError(
    "conflict",
    `Cannot seal the image: ${path} is for ${actual}, the image for ${oci} (${expected})`,
    { path, expected, actual },
  );
}
