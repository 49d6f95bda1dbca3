/** A registry on loopback with one image, for pulls by both sides. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDockerRegistry } from "../test/registry/docker-registry.ts";

export interface BenchRegistry {
  readonly host: string;
  /** The image in it, `docker://…`. */
  readonly reference: string;
  /** What tells skopeo, which cfsctl asks, that it speaks plain HTTP; to us, an address of this machine says so. */
  readonly skopeoEnv: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Needs the Debian packages docker-registry and skopeo. @param source `oci:DIRECTORY:TAG` */
export async function startBenchRegistry(source: string, scratch: string): Promise<BenchRegistry> {
  const registry = await startDockerRegistry();
  // The skopeo of Debian 12 does not know $CONTAINERS_REGISTRIES_CONF.
  const directory = join(scratch, "home", ".config", "containers");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "registries.conf"), `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
  const reference = `docker://${registry.host}/bench:latest`;
  const words = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", source, reference];
  execFileSync("skopeo", words, { stdio: ["ignore", "ignore", "inherit"] });
  return { host: registry.host, reference, skopeoEnv: { HOME: join(scratch, "home") }, stop: () => registry.stop() };
}
