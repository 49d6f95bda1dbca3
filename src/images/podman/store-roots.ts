/**
 * Where podman's images are: the directories of containers stores (containers-storage.conf(5),
 * containers-transports(5)).
 */
import { join } from "node:path";
import { SealrootError } from "../../errors/index.ts";
import { type HostPaths, userDataDirectory } from "../../oci/index.ts";
import { storesInOptions } from "./driver-options.ts";
import { readStorageConfiguration } from "./storage-configuration.ts";

/** Directories of stores. */
export interface StoreRoots {
  /** The store that the reference or the configuration names; it may not exist yet. */
  readonly main: string;
  /** Holds the images instead of the main store; likewise. */
  readonly imageStore: string | undefined;
  /** Further read-only stores; the directories must exist. */
  readonly additional: readonly string[];
}

/** The only driver whose layers are read. */
export const DRIVER = "overlay";

/**
 * The directories to look in.
 *
 * @param store what is in the reference's brackets: `[DRIVER@]ROOT[+RUNROOT][:OPTION=VALUE,…]`
 * @throws SealrootError `unsupported` for any driver but overlay, `usage` for a relative path and unknown options;
 *   as readStorageConfiguration
 */
export async function storeRoots(store: string | undefined, paths: HostPaths): Promise<StoreRoots> {
  const { driver, root, options } = splitSpecifier(store ?? "");
  refuseDriver(driver || (paths.environment.STORAGE_DRIVER ?? ""), store);
  const stores = storesInOptions(options, "the reference");
  const roots =
    root === "" ? await configuredRoots(driver, paths) : { main: root, imageStore: undefined, additional: [] };
  const { main, imageStore } = roots;
  const own = imageStore === undefined ? [main] : [imageStore, main];
  const additional = [...new Set([...roots.additional, ...stores])].filter((path) => !own.includes(path));
  const relative = [...own, ...additional].find((path) => !path.startsWith("/"));
  if (relative === undefined) return { main, imageStore, additional };
  throw new SealrootError("usage", `Cannot open container storage: "${relative}" is not an absolute path`, {
    hint: "write containers-storage:[overlay@/PATH/TO/STORE]IMAGE",
  });
}

function refuseDriver(driver: string, store: string | undefined): void {
  if (["", DRIVER, "overlay2"].includes(driver)) return;
  const what = `Cannot open container storage: driver ${driver} is not supported`;
  throw new SealrootError("unsupported", what, {
    hint: "copy the image out first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
    ...(store === undefined ? {} : { path: store }),
  });
}

function splitSpecifier(store: string) {
  const [, driver = "", root = "", options = ""] = /^(?:([^@/]*)@)?([^+:]*)(?:\+[^:]*)?(?::(.*))?$/s.exec(store) ?? [];
  return { driver, root, options: options.split(",") };
}

/** @param driver that of the reference, which then overrides storage.conf */
async function configuredRoots(driver: string, paths: HostPaths): Promise<StoreRoots> {
  const { environment, userId } = paths;
  const configuration = await readStorageConfiguration(paths);
  if (driver === "" && !environment.STORAGE_DRIVER) {
    refuseDriver(configuration.driver ?? "", undefined);
    const [first = ""] = configuration.driver === undefined ? configuration.driverPriority : [];
    if (!configuration.driverPriority.includes(DRIVER)) refuseDriver(first, undefined);
  }
  const dataRoot = userId === 0 ? "/var/lib" : userDataDirectory(paths);
  const main = environment.CONTAINERS_STORAGE_ROOT || configuration.graphRoot || join(dataRoot, "containers/storage");
  // The variable replaces the options of the file, even if it is empty (container-libs, storage/types).
  const { STORAGE_OPTS: options } = environment;
  const additional =
    options === undefined
      ? configuration.additionalImageStores.flatMap((path) => path.split(","))
      : storesInOptions(options.split(","), "STORAGE_OPTS");
  return { main, imageStore: configuration.imageStore, additional };
}
