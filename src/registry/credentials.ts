/** Finding what to log in with (containers-auth.json(5); spec/chunked-and-policy.md 3.6). */
import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { canonicalHost, type HostPaths, userConfigurationDirectory } from "../oci/index.ts";
import { credentialsIn, readAuthFile } from "./auth-file.ts";
import { askCredentialHelper } from "./credential-helper.ts";
import type { Credentials } from "./options.ts";

/** Means the files in the list of helpers. */
const FILES = "containers-auth.json";

export interface CredentialSearch {
  readonly host: string;
  readonly repository: string;
  /** The only file to read; it must exist. */
  readonly authFile: string | undefined;
  /** `credential-helpers` of registries.conf: where to look, in this order. */
  readonly helpers: readonly string[];
  readonly paths: HostPaths;
}

/** Where credentials are looked for when registries.conf does not say. */
export const DEFAULT_HELPERS: readonly string[] = [FILES];

/**
 * The first credentials found; undefined if there are none, which is not an error: most images are public.
 * @throws SealrootError `not-found` when `authFile` does not exist; as readAuthFile, credentialsIn, askCredentialHelper
 */
export async function findCredentials(search: CredentialSearch): Promise<Credentials | undefined> {
  for (const helper of search.helpers) {
    const found = await (helper === FILES ? searchFiles(search) : askCredentialHelper(helper, search.host));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function searchFiles(search: CredentialSearch): Promise<Credentials | undefined> {
  const { authFile, host, repository } = search;
  for (const { path, isLegacy } of filesToSearch(search)) {
    const file = await readAuthFile(path, isLegacy);
    if (file === undefined) {
      if (path !== authFile) continue;
      throw new SealrootError("not-found", `Cannot read credentials: ${path} does not exist`, { path });
    }
    const helper = file.helpers.get(host);
    const fromHelper = helper === undefined ? undefined : await askCredentialHelper(helper, host);
    const found = fromHelper ?? credentialsIn(file, host, repository) ?? (await askStore(file.store, host));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Docker's name for Docker Hub when it asks helper programs. */
const HUB_ADDRESS = "https://index.docker.io/v1/";

/**
 * Asks the program that docker keeps its logins with. If it is not installed there are no docker logins: most images
 * are public, and podman does not ask it at all.
 */
async function askStore(store: string | undefined, host: string): Promise<Credentials | undefined> {
  if (store === undefined) return undefined;
  try {
    return await askCredentialHelper(store, canonicalHost(host) === "docker.io" ? HUB_ADDRESS : host);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "missing-tool") return undefined;
    throw error;
  }
}

interface CredentialFile {
  readonly path: string;
  readonly isLegacy: boolean;
}

function filesToSearch({ authFile, paths }: CredentialSearch): CredentialFile[] {
  const { environment, homeDirectory, runDirectory, userId } = paths;
  const only = authFile ?? environment.REGISTRY_AUTH_FILE;
  if (only) return [{ path: only, isLegacy: false }];
  const runtime = environment.XDG_RUNTIME_DIR || join(runDirectory, "containers", String(userId));
  const own = environment.XDG_RUNTIME_DIR ? join(runtime, "containers/auth.json") : join(runtime, "auth.json");
  const docker = environment.DOCKER_CONFIG || join(homeDirectory, ".docker");
  return [
    { path: own, isLegacy: false },
    { path: join(userConfigurationDirectory(paths), "containers/auth.json"), isLegacy: false },
    { path: join(docker, "config.json"), isLegacy: false },
    { path: join(homeDirectory, ".dockercfg"), isLegacy: true },
  ];
}
