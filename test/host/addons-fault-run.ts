/** Adds or removes add-ons on a host that is a folder, in a process that may be killed: FOLDER BOOTED-ID add|remove. */
import { addAddons, readHost, removeAddon } from "../../src/host/index.ts";
import { folderPlaces } from "./folder-places.ts";

const [folder = "", bootedId = "", action = ""] = process.argv.slice(2);

const places = folderPlaces(folder, bootedId);

if (action === "remove") {
  removeAddon(places, "site");
  removeAddon(places, "debug", bootedId);
} else {
  const { booted } = await readHost(places);
  if (booted === undefined) throw new Error("a deployment is booted");
  const options = { firmware: undefined, reporter: { warn: () => {} } };
  await addAddons(places, booted, { scoped: ["debug"], global: ["site"] }, options);
}
