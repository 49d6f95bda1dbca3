/** Adds or removes add-ons on a host that is a folder, in a process that may be killed: FOLDER BOOTED-ID add|remove. */
import { join } from "node:path";
import { CommandLine } from "../../src/bls/index.ts";
import { addAddons, type HostPlaces, readHost, removeAddon } from "../../src/host/index.ts";

const [folder = "", bootedId = "", action = ""] = process.argv.slice(2);

const places: HostPlaces = {
  physicalRoot: join(folder, "sysroot"),
  bootDirectory: join(folder, "esp"),
  runDirectory: join(folder, "run"),
  bootLoader: "systemd",
  booted: {
    imageId: bootedId,
    missingVerityAllowed: false,
    verityRequired: true,
    commandLine: CommandLine.parse(`composefs=${bootedId} rw`),
  },
  usrOverlay: undefined,
  isReadOnly: false,
};

if (action === "remove") {
  removeAddon(places, "site");
  removeAddon(places, "debug", bootedId);
} else {
  const { booted } = await readHost(places);
  if (booted === undefined) throw new Error("a deployment is booted");
  const options = { firmware: undefined, reporter: { warn: () => {} } };
  await addAddons(places, booted, { scoped: ["debug"], global: ["site"] }, options);
}
