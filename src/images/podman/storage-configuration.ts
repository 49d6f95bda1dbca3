/** storage.conf: where podman keeps its images (containers-storage.conf(5); container-libs, storage/types). */
import { join } from "node:path";
import * as v from "valibot";
import { corrupt, SealrootError } from "../../errors/index.ts";
import {
  type ConfigurationFile,
  type HostPaths,
  readConfigurationFiles,
  userConfigurationDirectory,
} from "../../oci/index.ts";
import { userName } from "../../platform/index.ts";

/** What the files together say about the stores. Variables in paths are expanded. */
export interface StorageConfiguration {
  readonly driver: string | undefined;
  /** In this order, if no driver is named. */
  readonly driverPriority: readonly string[];
  readonly graphRoot: string | undefined;
  readonly imageStore: string | undefined;
  readonly additionalImageStores: readonly string[];
}

const text = v.optional(v.string());
/** A list; `{append=true}` in it appends to earlier files. */
const texts = v.optional(v.array(v.union([v.string(), v.strictObject({ append: v.boolean() })])));

const optionsSchema = v.looseObject({
  additionalimagestores: texts,
  imagestore: text,
  overlay: v.optional(v.looseObject({})),
});
const storageSchema = v.looseObject({
  driver: text,
  driver_priority: texts,
  graphroot: text,
  rootless_storage_path: text,
  imagestore: text,
  options: v.optional(optionsSchema),
});
const documentSchema = v.looseObject({ storage: v.optional(storageSchema) });

type StorageTable = NonNullable<v.InferOutput<typeof documentSchema>["storage"]>;

/** All keys that containers/storage knows, old ones included; most do not matter for reading images. */
const STORAGE_KEYS = [...Object.keys(storageSchema.entries), "runroot", "transient_store"];
const OPTION_KEYS = [
  ...Object.keys(optionsSchema.entries),
  ...["additionallayerstores", "auto-userns-max-size", "auto-userns-min-size", "disable-volatile", "force_mask"],
  ...["ignore_chown_errors", "mount_program", "mountopt", "ostree_repo", "pull_options", "remap-gids", "remap-group"],
  ...["remap-uids", "remap-user", "root-auto-userns-user", "size", "skip_mount_home", "use_composefs"],
  ...["aufs", "btrfs", "overlay2", "thinpool", "vfs", "zfs"],
];
const OVERLAY_KEYS = [
  ...["force_mask", "ignore_chown_errors", "inodes", "mount_program", "mountopt", "size", "skip_mount_home", "sync"],
  "use_composefs",
];

/**
 * Reads and merges the files (see readConfigurationFiles).
 *
 * Except for root, the machine's graphroot does not apply: that of the user's own file does, and
 * `rootless_storage_path` of any. `$NAME` and `${NAME}` in paths are variables of the environment, `$UID` for the
 * user's id.
 *
 * @throws SealrootError `corrupt` for invalid TOML, values of the wrong kind and unknown keys; `not-found` for a
 *   missing file named by `$CONTAINERS_STORAGE_CONF`
 */
export async function readStorageConfiguration(paths: HostPaths): Promise<StorageConfiguration> {
  let merged: StorageConfiguration = {
    ...{ driver: undefined, driverPriority: [], graphRoot: undefined, imageStore: undefined },
    additionalImageStores: [],
  };
  for (const file of await readConfigurationFiles(paths, "storage")) {
    const { driver, driver_priority, imagestore, options, ...roots } = await parseStorage(file);
    const expand = (path: string | undefined) => (path ? expandVariables(path, paths) : undefined);
    const graphRoot = isForUser(file, paths)
      ? roots.graphroot || roots.rootless_storage_path
      : roots.rootless_storage_path;
    merged = {
      driver: driver || merged.driver,
      driverPriority: extended(merged.driverPriority, driver_priority),
      graphRoot: expand(paths.userId === 0 ? roots.graphroot : graphRoot) ?? merged.graphRoot,
      imageStore: expand(imagestore || options?.imagestore) ?? merged.imageStore,
      additionalImageStores: extended(merged.additionalImageStores, options?.additionalimagestores).map((path) =>
        expandVariables(path, paths),
      ),
    };
  }
  return merged;
}

/** True for the user's own files, and those that the environment names. */
function isForUser({ path }: ConfigurationFile, paths: HostPaths): boolean {
  const { CONTAINERS_STORAGE_CONF: named, CONTAINERS_STORAGE_CONF_OVERRIDE: override } = paths.environment;
  return path === named || path === override || path.startsWith(join(userConfigurationDirectory(paths), "containers/"));
}

function extended(earlier: readonly string[], list: v.InferOutput<typeof texts>): readonly string[] {
  if (list === undefined) return earlier;
  const values = list.filter((value) => typeof value === "string");
  const appends = list.some((value) => typeof value !== "string" && value.append);
  return appends ? [...earlier, ...values] : values;
}

/** As Go's os.ExpandEnv; an unset variable is empty. */
function expandVariables(path: string, { environment, homeDirectory, userId }: HostPaths): string {
  return path.replaceAll("$UID", String(userId)).replace(/\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))/g, (_, braced, bare) => {
    const name: string = braced ?? bare;
    const known: Readonly<Record<string, () => string | undefined>> = { HOME: () => homeDirectory, USER: userName };
    return environment[name] ?? known[name]?.() ?? "";
  });
}

async function parseStorage({ path, text: content }: ConfigurationFile): Promise<StorageTable> {
  const { parse } = await import("smol-toml");
  let document: unknown;
  try {
    document = parse(content);
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${path}: it is not TOML`, { path }, error);
  }
  const result = v.safeParse(documentSchema, document);
  if (!result.success) {
    const issue = result.issues[0];
    throw corrupt(`Cannot read ${path}: ${v.getDotPath(issue) ?? "the document"}: ${issue.message}`, { path });
  }
  const { storage = {} } = result.output;
  refuseUnknown(result.output, ["storage"], "", path);
  refuseUnknown(storage, STORAGE_KEYS, "storage.", path);
  refuseUnknown(storage.options ?? {}, OPTION_KEYS, "storage.options.", path);
  refuseUnknown(storage.options?.overlay ?? {}, OVERLAY_KEYS, "storage.options.overlay.", path);
  return storage;
}

/** A misspelt key would have no effect, and the wrong store would be read. */
function refuseUnknown(table: object, known: readonly string[], place: string, path: string): void {
  const unknown = Object.keys(table).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const hint = `known are ${[...known].sort().join(", ")}; containers-storage.conf(5) describes them`;
  throw corrupt(`Cannot read ${path}: ${place}${unknown} is not known here`, { path, hint });
}
