/** `sealroot uki-addon remove NAME [ID]` */
import { type ArgumentSpecification, command } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

const ARGUMENTS = [
  { name: "NAME", summary: "of the add-on, without .addon.efi" },
  {
    name: "ID",
    summary: "of the deployment whose it is, or its first digits; left out for a global one",
    optional: true,
  },
] as const satisfies readonly ArgumentSpecification[];

export const ukiAddonRemove = command({
  description: `Removes an add-on from the ESP, for the next boot: a global one, or one of a deployment. One that names the image that
boots (composefs=) stays.`,
  arguments: ARGUMENTS,
  examples: ["sealroot uki-addon remove site-config", "sealroot uki-addon remove debug 3f81c2"],
  reportsJson: true,
  async run(invocation) {
    const { removeAddon, removedAddonLines } = await import("../../host/index.ts");
    using opened = openWritableHost("remove an add-on");
    const removed = removeAddon(opened.places, invocation.argument("NAME"), invocation.optionalArgument("ID"));
    if (invocation.json) invocation.output.json(removed);
    else for (const line of removedAddonLines(removed)) invocation.output.line(line);
  },
});
