/** `sealroot inspect THING`. */
import { command } from "./shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "./shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "./shared/registry-options.ts";

export const inspectVerb = command({
  description: `Shows what something is, as a tree. Of an EFI program (a UKI, an add-on, a boot loader, a kernel): sections, command line,
kernel, os-release, SBAT, signatures and their certificates. Of an image: manifest, layers, labels, and its UKI. Of a disk:
partitions and how full they are, programs and entries of the ESP, deployments. Of a directory, an EROFS image or a dump file:
what is in it.

Nothing is judged, which is what verify is for, and what cannot be read hides nothing else.`,
  arguments: [
    {
      name: "THING",
      summary: "an image (oci:DIR:TAG, docker://…), a disk, a UKI, another file or a directory",
      holds: "reference",
    },
  ],
  options: [...POLICY_OPTIONS, ...REGISTRY_OPTIONS],
  reportsJson: true,
  examples: ["sealroot inspect os.efi", "sealroot inspect oci:os:v1", "sealroot inspect disk.img --json"],
  async run(invocation) {
    const { inspectThing, partLines } = await import("../inspect/index.ts");
    const part = await inspectThing(invocation.argument("THING"), {
      policy: policyChoice(invocation),
      registry: registryOptions(invocation),
    });
    if (invocation.json) invocation.output.json(part);
    else for (const line of partLines(part)) invocation.output.line(line);
  },
});
