/** What is the same for every update of the running machine. */
import { firmwareDatabases, loaderVariable } from "../firmware.ts";
import { readRetention } from "../host-configuration.ts";
import { startFinalizer } from "../reboot.ts";
import { nextRootImage } from "../soft-reboot/next-root.ts";
import type { StageUpdateOptions } from "./stage-update.ts";

/** @throws SealrootError for a firmware or a configuration that cannot be read */
export function machineOptions(): Pick<
  StageUpdateOptions,
  "etcPath" | "retention" | "preparedImage" | "loaderInfo" | "firmware" | "startFinalizer"
> {
  return {
    etcPath: "/etc",
    retention: readRetention(),
    preparedImage: nextRootImage(),
    loaderInfo: loaderVariable("LoaderInfo"),
    firmware: firmwareDatabases(),
    startFinalizer,
  };
}
