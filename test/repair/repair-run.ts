/** Repairs a host that is a folder: `node repair-run.ts FOLDER BOOTED-ID SOURCE…`. */

import { join } from "node:path";
import { CommandLine } from "../../src/bls/index.ts";
import { silent } from "../../src/events/index.ts";
import { repairHost } from "../../src/repair/index.ts";

const [folder = "", imageId = "", ...sources] = process.argv.slice(2);
const { after, failures } = await repairHost(
  {
    physicalRoot: join(folder, "sysroot"),
    bootDirectory: join(folder, "esp"),
    runDirectory: join(folder, "run"),
    bootLoader: "systemd",
    booted: {
      ...{ imageId, missingVerityAllowed: false, verityRequired: true },
      commandLine: CommandLine.parse(`composefs=${imageId} rw`),
    },
    usrOverlay: undefined,
    isReadOnly: false,
  },
  { sources, policy: "accept-anything", events: silent },
);
if (after.faults.length + failures.length > 0) throw new Error(JSON.stringify([after.faults, failures]));
