/** `sealroot fsck` */

import { SealrootError } from "../../errors/index.ts";
import type { OpenedHost } from "../../host/index.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "../shared/registry-options.ts";

const OPTIONS = [
  { flags: "--repair", summary: "mend what is damaged, and fetch what is missing" },
  {
    flags: "--source <REFERENCE>",
    summary: "look here first for what is missing, such as oci:/run/media/stick",
    repeat: true,
    needs: ["repair"],
  },
  {
    flags: "--sysroot <DIR>",
    summary: "a host that does not run: where the root file system of its disk is mounted",
    needs: ["esp"],
  },
  { flags: "--esp <DIR>", summary: "and where its ESP is mounted", needs: ["sysroot"] },
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const fsck = command({
  description: `Checks the whole host: everything in the repository, UKIs and kernels on the ESP against the images of their
deployments, boot entries, the boot loader, origin files and state directories. Exits with 1 when something is wrong, also
with --json. Without --repair nothing is changed.

With --repair, what is damaged or missing is mended: from another copy on this host, else from the registry that the
deployment came from, by the digest of its manifest, or from --source. Each file is replaced in one step by one that was
verified; nothing else changes. Exits with 0 when nothing is wrong any more.`,
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot fsck",
    "sealroot fsck --repair",
    "sealroot fsck --repair --source oci:/run/media/stick:os",
    "sealroot fsck --repair --sysroot /mnt --esp /mnt-esp",
  ],
  async run(invocation) {
    using opened = await open(invocation);
    const { output, events, json } = invocation;
    if (!invocation.flag("repair")) {
      const { checkHost, checkJson, checkText } = await import("../../repair/index.ts");
      const found = await checkHost(opened.places, events);
      const check = { ...found, notes: [...opened.problems.map(problemText), ...found.notes] };
      if (json) output.json(checkJson(check));
      else print(invocation, checkText(check));
      return check.faults.length === 0 ? 0 : 1;
    }
    const { repairHost, repairJson, repairText } = await import("../../repair/index.ts");
    const repair = await repairHost(opened.places, {
      sources: invocation.list("source"),
      registry: registryOptions(invocation),
      policy: policyChoice(invocation),
      events,
    });
    if (json) output.json(repairJson(repair));
    else print(invocation, repairText(repair));
    return repair.after.faults.length === 0 ? 0 : 1;
  },
});

async function open(invocation: Call): Promise<OpenedHost> {
  const { openHost, openMountedHost } = await import("../../host/index.ts");
  const write = invocation.flag("repair");
  const [sysroot, esp] = [invocation.option("sysroot"), invocation.option("esp")];
  if (sysroot !== undefined && esp !== undefined) return openMountedHost({ sysroot, esp, write });
  const opened = openHost({ write });
  if (opened !== undefined) return opened;
  throw new SealrootError("unsupported", "Cannot check the host: this system is not deployed via bootc", {
    hint: "of a host that does not run, name the places: --sysroot DIR --esp DIR",
  });
}

function problemText({ subject, error }: OpenedHost["problems"][number]): string {
  return `${subject}: ${error.message}`;
}

function print({ output }: Call, { lines, remarks }: { lines: readonly string[]; remarks: readonly string[] }): void {
  for (const line of lines) output.line(line);
  for (const remark of remarks) output.remark(remark);
}
