/** A machine without any configuration, so that tests do not depend on the one they run on. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { RegistryOptions } from "../../src/registry/index.ts";

export type HostPaths = NonNullable<RegistryOptions["paths"]>;

/** Directories below `scratch`, all of them empty. */
export async function emptyHost(scratch: string, environment: HostPaths["environment"] = {}): Promise<HostPaths> {
  const root = await mkdtemp(join(scratch, "host-"));
  return {
    etcDirectory: join(root, "etc"),
    shareDirectory: join(root, "share"),
    runDirectory: join(root, "run"),
    homeDirectory: join(root, "home"),
    userId: 1000,
    environment,
  };
}
