/** `sealroot uki-addon add NAME SCOPE` */
import { SealrootError } from "../../errors/index.ts";
import { type ArgumentSpecification, command } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

const ARGUMENTS = [
  { name: "NAME", summary: "of the add-on, without .addon.efi" },
  { name: "SCOPE", summary: "scoped: for the deployment that runs; global: for every UKI of the ESP" },
] as const satisfies readonly ArgumentSpecification[];

export const ukiAddonAdd = command({
  description: `Installs an add-on of the image that runs, for the next boot. Everything is checked before the ESP changes: its
signature against the keys of this machine, its architecture, the whole kernel command line, and the room on the ESP.

A scoped one belongs to the deployment and is rolled back with it; updates take it along by its name, from the new image.
A global one is for every deployment, and no rollback changes it.`,
  arguments: ARGUMENTS,
  examples: ["sealroot uki-addon add debug scoped", "sealroot uki-addon add site-config global"],
  reportsJson: true,
  async run(invocation) {
    const { addAddons, addedAddonLines, firmwareDatabases, readHost } = await import("../../host/index.ts");
    const name = invocation.argument("NAME");
    const scope = invocation.argument("SCOPE");
    if (scope !== "scoped" && scope !== "global") {
      throw new SealrootError("usage", `Cannot add an add-on that is "${scope}": it is scoped or global`);
    }
    using opened = openWritableHost("add an add-on");
    const { places } = opened;
    const { booted, staged } = await readHost(places);
    if (booted === undefined) {
      throw new SealrootError("not-found", "Cannot add an add-on: no deployment of this system is booted");
    }
    const warn = (text: string) => invocation.output.remark(text);
    const names = { scoped: [], global: [], [scope]: [name] };
    const options = { firmware: firmwareDatabases(), reporter: { warn } };
    const added = await addAddons(places, booted, names, options);
    if (invocation.json) invocation.output.json(added[0]);
    else for (const one of added) for (const line of addedAddonLines(one)) invocation.output.line(line);
    if (scope === "scoped" && staged?.downloadOnly === false) {
      warn(`What is staged comes first: give it the add-on with sealroot upgrade --uki-addon ${name}`);
    }
  },
});
