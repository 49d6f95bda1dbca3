/** `sealroot container ukify -- --output FILE` */
import type { UkifyOptions, UkifyReport } from "../../container/index.ts";
import { command } from "../shared/command.ts";
import type { Output } from "../shared/output.ts";
import { ROOTFS_OPTION } from "./rootfs-option.ts";

export const containerUkify = command({
  description: `Builds the UKI of an image from its root file system: computes the digest, takes the image's own kernel arguments
and puts kernel, initramfs and os-release together. What follows -- is read as ukify reads it; ukify itself is not needed.

Understood after --: --output (required), --stub, --efi-arch, --os-release, --uname, --initrd, --microcode, --devicetree,
--splash, --pcrpkey, --section, --sbat, --pcr-private-key and --pcr-public-key (signed policies for PCR 11), --secureboot-private-key and --secureboot-certificate (PEM or DER files), --signtool sbsign or
systemd-sbsign, --sign-kernel, --measure, --pcr-banks, --phases, --json, --tools. Any other argument is refused by its name.

The stub is the image's own; without one, that of this system, where ukify looks.`,
  arguments: [{ name: "UKIFY_ARGUMENT", summary: "after --: as ukify takes them", optional: true, repeat: true }],
  options: [
    ROOTFS_OPTION,
    {
      flags: "--kernel-dir <DIR>",
      summary: "take vmlinuz and initramfs.img from there; its name is the kernel's version",
    },
    { flags: "--allow-missing-verity", summary: "seal without requiring fs-verity on the disk (composefs=?...)" },
    { flags: "--write-dumpfile-to <FILE>", summary: "also write the tree under the digest as composefs dump text" },
    {
      flags: "--erofs-version <V>",
      summary: "name the image as v1 with v2 as fallback (default), only v2, or only v1",
      choices: ["v1", "v2", "v1-only"],
    },
    {
      flags: "--initramfs <KIND>",
      summary: "image: as it is (default); minimal: our own; extend: the image's own and our program",
      choices: ["image", "minimal", "extend"],
    },
    { flags: "--karg <ARG>", summary: "add a kernel argument (may be given again)", repeat: true, hidden: true },
  ],
  reportsJson: true,
  examples: ["sealroot container ukify --rootfs rootfs --kernel-dir kernel/6.12.0 -- --output os.efi"],
  async run(invocation) {
    const { buildImageUki, measurementLines, parseUkifyOptions, RootDirectory } = await import(
      "../../container/index.ts"
    );
    const options = parseUkifyOptions(invocation.arguments("UKIFY_ARGUMENT"));
    const version = invocation.option("erofs-version");
    const initramfs = invocation.option("initramfs");
    const { report, uki } = await buildImageUki({
      directory: new RootDirectory(invocation.option("rootfs") ?? "/"),
      kernelDirectory: invocation.option("kernel-dir"),
      form: version === "v2" || version === "v1-only" ? version : "v1",
      verityOptional: invocation.flag("allow-missing-verity"),
      kernelArguments: invocation.list("karg"),
      initramfs: initramfs === "minimal" || initramfs === "extend" ? initramfs : "image",
      dumpFile: invocation.option("write-dumpfile-to"),
      options,
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(report);
    else print(report, options, measurementLines(uki, options), invocation.output);
  },
});

/** As ukify prints it. */
function print(
  { signed, output: path }: UkifyReport,
  options: UkifyOptions,
  lines: readonly string[],
  output: Output,
): void {
  if (options.measure) for (const line of lines) output.line(line);
  output.line(`Wrote ${signed ? "signed" : "unsigned"} ${path}`);
}
