/** Where podman's images lie: the directories of containers stores (containers-storage.conf(5), containers-transports(5)). */
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { asSealrootError, corrupt, SealrootError } from "../../errors/index.ts";
import { isAbsent } from "../absent-file.ts";

/** What decides about the directories besides the reference. */
export interface StoreEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly user: string;
  readonly home: string;
  /** Text of a file, or undefined when there is none. */
  readText(path: string): string | undefined;
}

const texts = v.optional(v.array(v.string()));
const configurationSchema = v.looseObject({
  storage: v.optional(
    v.looseObject({
      graphroot: v.optional(v.string()),
      rootless_storage_path: v.optional(v.string()),
      imagestore: v.optional(v.string()),
      options: v.optional(v.looseObject({ additionalimagestores: texts })),
    }),
  ),
});

type Configuration = NonNullable<v.InferOutput<typeof configurationSchema>["storage"]>;

/** Directories of stores. */
export interface StoreRoots {
  /** The store that the reference or the configuration names. */
  readonly main: string;
  /** It and those that belong to it, in the order in which they are searched. */
  readonly all: readonly string[];
}

/** The only driver whose layers are read. */
export const DRIVER = "overlay";
/** Keys of further stores among the options of a reference; the part in front of the dot names the driver. */
const STORE_OPTION = /^(?:[a-z0-9]+)?\.?(?:imagestore|additionalimagestores?)$/;

/** Those of this process. */
export function processEnvironment(): StoreEnvironment {
  return { variables: process.env, uid: process.getuid?.() ?? 0, user: userInfo().username, home: homedir(), readText };
}

/**
 * The directories to look in.
 *
 * @param store what stands in the reference's brackets: `[DRIVER@]ROOT[+RUNROOT][:OPTION=VALUE,…]`
 * @throws SealrootError `unsupported` for another driver than overlay, `usage` for a relative path, `corrupt` for a
 *   storage.conf that is none
 */
export async function storeRoots(store: string | undefined, environment: StoreEnvironment): Promise<StoreRoots> {
  const { driver, root, stores } = splitSpecifier(store ?? "");
  const stated = driver || (environment.variables.STORAGE_DRIVER ?? "");
  if (stated !== "" && stated !== DRIVER && stated !== "overlay2") throw driverUnsupported(stated, store);
  const configured = root === "" ? await configuredRoots(environment) : { main: root, all: [root] };
  const all = [...new Set([...configured.all, ...stores])];
  const relative = [configured.main, ...all].find((path) => !path.startsWith("/"));
  if (relative === undefined) return { main: configured.main, all };
  throw new SealrootError("usage", `Cannot open container storage: "${relative}" is not an absolute path`, {
    hint: "write containers-storage:[overlay@/PATH/TO/STORE]IMAGE",
  });
}

function driverUnsupported(driver: string, store: string | undefined): SealrootError {
  const what = `Cannot open container storage: driver ${driver} is not supported`;
  return new SealrootError("unsupported", what, {
    hint: "copy the image out first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
    ...(store === undefined ? {} : { path: store }),
  });
}

function splitSpecifier(store: string) {
  const [, driver = "", root = "", options = ""] = /^(?:([^@/]*)@)?([^+:]*)(?:\+[^:]*)?(?::(.*))?$/s.exec(store) ?? [];
  const stores = options.split(",").flatMap((option) => {
    const [key = "", value = ""] = option.split("=", 2);
    return STORE_OPTION.test(key) && value !== "" ? [value] : [];
  });
  return { driver, root, stores };
}

async function configuredRoots(environment: StoreEnvironment): Promise<StoreRoots> {
  const { variables, uid, home } = environment;
  const dataHome = variables.XDG_DATA_HOME || join(home, ".local/share");
  const ownRoot = uid === 0 ? "/var/lib/containers/storage" : join(dataHome, "containers/storage");
  const configuration = await readConfiguration(environment);
  const { graphroot, rootless_storage_path: rootless, imagestore, options } = configuration;
  const configured = uid === 0 ? graphroot : rootless && expand(rootless, environment);
  const main = variables.CONTAINERS_STORAGE_ROOT || configured || ownRoot;
  const all = [...(imagestore ? [imagestore] : []), main, ...(options?.additionalimagestores ?? [])];
  return { main, all };
}

function expand(path: string, { home, uid, user }: StoreEnvironment): string {
  return path.replaceAll("$HOME", home).replaceAll("$UID", String(uid)).replaceAll("$USER", user);
}

async function readConfiguration(environment: StoreEnvironment): Promise<Configuration> {
  for (const path of configurationPaths(environment)) {
    const text = environment.readText(path);
    if (text === undefined) continue;
    const { parse } = await import("smol-toml");
    let document: unknown;
    try {
      document = parse(text);
    } catch (error) {
      throw new SealrootError("corrupt", `Cannot read ${path}: it is not TOML`, { path }, error);
    }
    const result = v.safeParse(configurationSchema, document);
    if (result.success) return result.output.storage ?? {};
    const issue = result.issues[0];
    throw corrupt(`Cannot read ${path}: ${v.getDotPath(issue) ?? "the document"}: ${issue.message}`, { path });
  }
  return {};
}

/** The first that exists counts. */
function configurationPaths({ variables, uid, home }: StoreEnvironment): string[] {
  const stated = variables.CONTAINERS_STORAGE_CONF;
  if (stated) return [stated];
  const own = join(variables.XDG_CONFIG_HOME || join(home, ".config"), "containers/storage.conf");
  const common = ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"];
  return uid === 0 ? common : [own, ...common];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isAbsent(error, path)) return undefined;
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}
