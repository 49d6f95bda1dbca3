/** `sealroot uki-addon list-referenced` */
import { command } from "../shared/command.ts";
import { openReadableHost } from "../shared/writable-host.ts";

export const ukiAddonListReferenced = command({
  description: `Shows the add-ons that the images of the deployments hold, installed or not. Those of the image that runs can be
installed with sealroot uki-addon add.`,
  examples: ["sealroot uki-addon list-referenced"],
  reportsJson: true,
  async run(invocation) {
    const { readHost, referencedAddonLines, referencedAddons, referencedAddonsJson } = await import(
      "../../host/index.ts"
    );
    using opened = openReadableHost("list the add-ons of images");
    const { places } = opened;
    const referenced = await referencedAddons(places, await readHost(places));
    if (invocation.json) invocation.output.json(referencedAddonsJson(referenced));
    else for (const line of referencedAddonLines(referenced)) invocation.output.line(line);
    for (const { subject, error } of referenced.problems) invocation.output.remark(`${subject}: ${error.message}`);
    return referenced.problems.length > 0 ? 1 : 0;
  },
});
