/** The places of a host that is a folder, for processes that know no more of it than its path. */
import { join } from "node:path";
import { CommandLine } from "../../src/bls/index.ts";
import type { HostPlaces } from "../../src/host/index.ts";

/** @param bootedId the deployment that runs, its image required with fs-verity */
export function folderPlaces(folder: string, bootedId: string): HostPlaces {
  return {
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
}
