/** `sealroot addon remove DISK NAME`. */
import { command } from "../shared/command.ts";
import { addonTarget, changeText, PLACE_OPTIONS } from "./disk-change.ts";

export const addonRemove = command({
  description: `Removes an add-on from the EFI system partition of a disk file that does not run, without root. On a host that runs:
sealroot uki-addon remove.`,
  arguments: [
    { name: "DISK", summary: "disk file" },
    { name: "NAME", summary: "of the add-on, without .addon.efi" },
  ],
  options: PLACE_OPTIONS,
  examples: ["sealroot addon remove disk.img serial"],
  reportsJson: true,
  async run(invocation) {
    const { removeFromDisk } = await import("../../addon/index.ts");
    const target = addonTarget(invocation, invocation.argument("DISK"));
    const changes = await removeFromDisk(target, invocation.argument("NAME"));
    if (invocation.json) invocation.output.json({ addons: changes });
    else for (const change of changes) invocation.output.line(changeText(change));
  },
});
