/** `sealroot uki-addon list` */
import { command } from "../shared/command.ts";
import { openReadableHost } from "../shared/writable-host.ts";

export const ukiAddonList = command({
  description: `Shows the add-ons of UKIs on the ESP, as bootc does: those that every UKI loads (global), and those of one deployment
(scoped), also when the deployment is gone. An add-on brings kernel arguments along and is signed like a UKI.`,
  examples: ["sealroot uki-addon list", "sealroot uki-addon list --json"],
  reportsJson: true,
  async run(invocation) {
    const { addonJson, addonListLines, addonsOfHost } = await import("../../host/index.ts");
    using opened = openReadableHost("list add-ons");
    const { addons, foreign } = addonsOfHost(opened.places);
    if (invocation.json) invocation.output.json(addons.map(addonJson));
    else for (const line of addonListLines(addons)) invocation.output.line(line);
    for (const path of foreign) invocation.output.remark(`${path}: for every UKI as well, but not managed here`);
  },
});
