/** A registry on the machine that runs the test, as the guest reaches it through QEMU's user network. */
import { type DockerRegistry, startDockerRegistry } from "../registry/docker-registry.ts";
import type { VariantFile } from "./variant-image.ts";

/** The machine that runs QEMU, seen from the guest (qemu(1), "-netdev user"). */
const HOST_ADDRESS = "10.0.2.2";

export interface GuestRegistry extends DockerRegistry {
  /** `10.0.2.2:PORT`, its name in the guest; {@link DockerRegistry.host} is the one outside. */
  readonly guestHost: string;
  /** Lets containers-registries.conf(5) speak HTTP with it: shell text for a guest that runs. */
  readonly allow: string;
  /** The same as a file for {@link variantImage}. */
  readonly files: Readonly<Record<string, VariantFile>>;
}

const CONFIGURATION = "etc/containers/registries.conf.d/50-guest-registry.conf";

/** Starts it; the guest needs `network: true`. */
export async function startGuestRegistry(): Promise<GuestRegistry> {
  const registry = await startDockerRegistry();
  const guestHost = registry.host.replace("127.0.0.1", HOST_ADDRESS);
  const text = `[[registry]]\nlocation = "${guestHost}"\ninsecure = true\n`;
  const allow = `mkdir -p /etc/containers/registries.conf.d && cat >/${CONFIGURATION} <<'END'\n${text}END\n`;
  return { ...registry, guestHost, allow, files: { [CONFIGURATION]: text } };
}
