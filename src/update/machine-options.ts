/** What is the same for every update of the running machine. */
import { firmwareDatabases, loaderVariable, nextRootImage, readRetention, startFinalizer } from "../host/index.ts";
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
