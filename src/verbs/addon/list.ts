/** `sealroot addon list DISK|IMAGE|DIR`. */
import { statSync } from "node:fs";
import type { ListedAddon } from "../../addon/index.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "../shared/registry-options.ts";
import { textTable } from "../shared/table.ts";

const OPTIONS = [...POLICY_OPTIONS, ...REGISTRY_OPTIONS] as const satisfies readonly OptionSpecification[];
const ARGUMENTS = [
  { name: "WHERE", summary: "a disk file, an image, a mounted ESP, a folder or file of add-ons" },
] as const;

export const addonList = command({
  description: `Shows add-ons: what they bring, who signed them, and whether they keep the rule of what an add-on may change. A signature
is checked by the certificate that comes with it; whose it must be, the firmware decides.

Exit code 1 when one breaks the rule.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: ["sealroot addon list disk.img", "sealroot addon list oci:os-sealed", "sealroot addon list --json /efi"],
  reportsJson: true,
  async run(invocation) {
    const addons = await find(invocation);
    if (invocation.json) invocation.output.json({ addons });
    else if (addons.length === 0) invocation.output.line("No add-ons");
    else for (const line of lines(addons)) invocation.output.line(line);
    return addons.some(({ problem }) => problem !== null) ? 1 : 0;
  },
});

async function find(invocation: Invocation<typeof OPTIONS, typeof ARGUMENTS>): Promise<ListedAddon[]> {
  const { addonOfFile, addonsOfDirectory, addonsOfDisk, addonsOfImage } = await import("../../addon/index.ts");
  const where = invocation.argument("WHERE");
  const stat = statSync(where, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return addonsOfDirectory(where);
  if (stat !== undefined) return where.endsWith(".efi") ? [await addonOfFile(where)] : addonsOfDisk(where);
  const { parseReference } = await import("../../oci/index.ts");
  return addonsOfImage(parseReference(where), {
    registry: registryOptions(invocation),
    policy: policyChoice(invocation),
    events: invocation.events,
  });
}

function lines(addons: readonly ListedAddon[]): string[] {
  const header = ["NAME", "FOR", "SIGNED BY", "BRINGS"];
  const table = textTable([
    header,
    ...addons.map((addon) => [addon.name, ownerText(addon), signerText(addon), contentText(addon)]),
  ]);
  const problems = addons.flatMap(({ problem }) => (problem === null ? [] : [problem]));
  return [...table, ...problems];
}

function ownerText({ scope, deploymentId }: ListedAddon): string {
  const shown = deploymentId?.slice(0, 12);
  if (scope === "global") return "every UKI";
  return scope === null ? "" : shown === undefined ? "one UKI" : `deployment ${shown}`;
}

function signerText({ signedBy }: ListedAddon): string {
  return signedBy ?? "nobody";
}

function contentText({ commandLine, sections }: ListedAddon): string {
  const others = sections.filter((name) => name !== ".cmdline");
  return [...(commandLine === null ? [] : [commandLine]), ...others].join(" ");
}
