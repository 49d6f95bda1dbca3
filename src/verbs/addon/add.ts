/** `sealroot addon add DISK FILE…`. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { addonTarget, changeText, PLACE_OPTIONS } from "./disk-change.ts";

export const addonAdd = command({
  description: `Puts add-ons onto the EFI system partition of a disk file that does not run, without root: for one deployment, or for all.
They are judged as install judges them: what an add-on may change, the whole kernel command line, and the keys that the disk
enrols. The disk is the old one or the new one at every moment. On a host that runs: sealroot uki-addon add.`,
  arguments: [
    { name: "DISK", summary: "disk file" },
    { name: "FILE", summary: "NAME.addon.efi", repeat: true },
  ],
  options: PLACE_OPTIONS,
  examples: ["sealroot addon add disk.img serial.addon.efi", "sealroot addon add --global disk.img site.addon.efi"],
  reportsJson: true,
  async run(invocation) {
    const { addToDisk } = await import("../../addon/index.ts");
    const { ADDON_SUFFIX } = await import("../../bootimage/index.ts");
    const added = await Promise.all(
      invocation.arguments("FILE").map(async (path) => {
        if (!path.endsWith(ADDON_SUFFIX)) {
          const what = `Cannot add ${path}: systemd-stub knows add-ons by names in ${ADDON_SUFFIX}`;
          throw new SealrootError("usage", what, { path });
        }
        const bytes = await readFile(path).catch((error: unknown) => {
          throw asSealrootError(error, "Cannot read the add-on", { path });
        });
        return { name: basename(path).slice(0, -ADDON_SUFFIX.length), bytes };
      }),
    );
    const changes = await addToDisk(addonTarget(invocation, invocation.argument("DISK")), added);
    if (invocation.json) invocation.output.json({ addons: changes });
    else for (const change of changes) invocation.output.line(changeText(change));
  },
});
