/** Configuration files of podman and skopeo: a main file, and drop-ins that are read after it (containers-registries.conf(5)). */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { isAbsent } from "../platform/index.ts";
import { type HostPaths, userConfigurationDirectory } from "./host-paths.ts";

export interface ConfigurationFile {
  readonly path: string;
  readonly text: string;
}

/** Which configuration: `registries.conf` or `storage.conf`. */
export type ConfigurationName = "registries" | "storage";

/**
 * The files that count, in the order in which they are merged.
 *
 * The main file is the first that exists of the user's, the machine's and the distribution's, or the one that is named.
 * Then come drop-ins, `NAME.conf.d/*.conf`, in the order of their names; the user's hide the machine's, and those the
 * distribution's. Each directory but the user's has others beside it: `NAME.rootful.conf.d` for root, for everybody
 * else `NAME.rootless.conf.d` and in it one named by the user's id (container-libs, storage/pkg/configfile).
 *
 * @param given the main file named by an option; `$CONTAINERS_NAME_CONF` also names one, which has no drop-ins
 * @throws SealrootError `not-found` for a named file, `no-access`
 */
export async function readConfigurationFiles(
  paths: HostPaths,
  name: ConfigurationName,
  given?: string,
): Promise<ConfigurationFile[]> {
  const variable = `CONTAINERS_${name.toUpperCase()}_CONF`;
  const named = given === undefined ? paths.environment[variable] : undefined;
  const files: ConfigurationFile[] = [];
  const main = given || named;
  if (main) files.push(await readNamed(main, name));
  else files.push(...(await readFirst(mainFiles(paths, name), name)));
  if (!named) for (const path of await dropIns(paths, name)) files.push(...(await readFirst([path], name)));
  const override = paths.environment[`${variable}_OVERRIDE`];
  if (override) files.push(await readNamed(override, name));
  return files;
}

/** Strongest first. */
function mainFiles(paths: HostPaths, name: ConfigurationName): string[] {
  return [userConfigurationDirectory(paths), paths.etcDirectory, paths.shareDirectory].map((directory) =>
    join(directory, "containers", `${name}.conf`),
  );
}

/** Weakest first. */
function dropInFolders(paths: HostPaths, name: ConfigurationName): string[] {
  const { shareDirectory, etcDirectory, userId } = paths;
  const ofSystem = [shareDirectory, etcDirectory].flatMap((directory) => {
    const folder = (kind: string, ...inside: string[]) =>
      join(directory, "containers", `${name}${kind}.conf.d`, ...inside);
    const special = userId === 0 ? [folder(".rootful")] : [folder(".rootless"), folder(".rootless", String(userId))];
    return [folder(""), ...special];
  });
  return [...ofSystem, join(userConfigurationDirectory(paths), "containers", `${name}.conf.d`)];
}

async function dropIns(paths: HostPaths, name: ConfigurationName): Promise<string[]> {
  const pathOfName = new Map<string, string>();
  for (const folder of dropInFolders(paths, name)) {
    for (const file of await namesIn(folder, name))
      if (file.endsWith(".conf")) pathOfName.set(file, join(folder, file));
  }
  return [...pathOfName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

async function namesIn(folder: string, name: ConfigurationName): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error, folder)) return [];
    throw asSealrootError(error, `Cannot read ${name} configuration`, { path: folder });
  }
}

async function readNamed(path: string, name: ConfigurationName): Promise<ConfigurationFile> {
  const [file] = await readFirst([path], name);
  if (file !== undefined) return file;
  throw new SealrootError("not-found", `Cannot read ${name} configuration: ${path} does not exist`, { path });
}

/** The first that exists, or none. */
async function readFirst(candidates: readonly string[], name: ConfigurationName): Promise<ConfigurationFile[]> {
  for (const path of candidates) {
    try {
      return [{ path, text: await readFile(path, "utf8") }];
    } catch (error) {
      if (!isAbsent(error, path)) throw asSealrootError(error, `Cannot read ${name} configuration`, { path });
    }
  }
  return [];
}
