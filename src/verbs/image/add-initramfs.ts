/** `sealroot image add-initramfs IMAGE -o IMAGE`. */
import { formatSize } from "../../bytes/index.ts";
import type { AddInitramfsReport } from "../../seal/index.ts";
import { BOOT_PROGRAM_OPTION, givenInterpreter } from "../shared/boot-program-option.ts";
import { sourceDateEpoch } from "../shared/build-time.ts";
import { command, type OptionSpecification } from "../shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, refuseSharedLogin, registryOptions } from "../shared/registry-options.ts";
import { textTable } from "../shared/table.ts";

const OPTIONS = [
  {
    flags: "-o, --output <IMAGE>",
    summary: "where the image goes: oci:DIRECTORY[:TAG], docker://HOST/NAME[:TAG] …",
    required: true,
  },
  {
    flags: "--initramfs <CARRIER>",
    summary: "minimal: our own (default), in place of the image's; extend: the image's own and our program",
    choices: ["minimal", "extend"],
  },
  BOOT_PROGRAM_OPTION,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

export const imageAddInitramfs = command({
  description: `Gives an image the initramfs by which it boots without being sealed: from kernel and initramfs as
files, with the kernel arguments of the installed machine, and nothing signed. sealroot install to-disk
--allow-unsealed installs it. For a system that a stranger with the disk cannot change, seal it instead.

The image needs a kernel in /usr/lib/modules/VERSION/vmlinuz, quickjs and util-linux, and empty directories /boot and
/sysroot. The result is the same image with one more layer, which has the initramfs beside the kernel.`,
  arguments: [
    {
      name: "IMAGE",
      summary: "the image, such as docker://HOST/NAME[:TAG] or oci:DIRECTORY[:TAG]",
      holds: "reference",
    },
  ],
  options: OPTIONS,
  reportsJson: true,
  examples: ["sealroot image add-initramfs oci:debian -o oci:debian-unsealed"],
  async run(invocation) {
    const [{ parseReference }, { addInitramfs }] = await Promise.all([
      import("../../oci/index.ts"),
      import("../../seal/index.ts"),
    ]);
    const source = parseReference(invocation.argument("IMAGE"));
    const output = parseReference(invocation.required("output"));
    refuseSharedLogin(invocation, [source, output]);
    const report = await addInitramfs({
      source,
      output,
      registry: registryOptions(invocation),
      policy: policyChoice(invocation),
      initramfs: invocation.option("initramfs") === "extend" ? "extend" : "minimal",
      interpreter: await givenInterpreter(invocation),
      created: sourceDateEpoch(),
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(report);
    else for (const line of reportLines(report)) invocation.output.line(line);
  },
});

function reportLines(report: AddInitramfsReport): string[] {
  return textTable([
    ["image", report.reference],
    ["manifest", report.manifestDigest],
    ["composefs", report.imageId],
    ["kernel", report.kernelRelease],
    ["initramfs", `${report.initramfsPath} (${formatSize(report.initramfsSizeBytes)})`],
    ["boot digest", report.bootDigest],
    ["added layer", formatSize(report.addedLayerSizeBytes)],
    ["protection", "none against changes of the disk: the image is not sealed"],
  ]);
}
