/** Stages an update on a host that is a folder, as `sealroot upgrade` does on a host: FOLDER BOOTED-ID SOURCE. */
import { join } from "node:path";
import { CommandLine } from "../src/bls/index.ts";
import { silent } from "../src/events/index.ts";
import { readHost } from "../src/host/index.ts";
import { openUpdate, updateHost } from "../src/update/index.ts";
import { PLAIN_UPDATE } from "../test/update/update-options.ts";

const [folder = "", bootedId = "", source = ""] = process.argv.slice(2);
const places = {
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
} as const;
const host = await readHost(places);
const target = { imageReference: "docker://quay.io/example/os:1", source };
await using update = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
await updateHost(places, host, update, { ...PLAIN_UPDATE, etcPath: join(folder, "etc"), events: silent });
