/** The reference a host updates from, from the installer's options (spec/host-install.md 2 and 4.3). */
import { SealrootError } from "../errors/index.ts";

/** Transports of bootc's `--target-transport`, and skopeo's names for them. */
const PREFIX_OF_TRANSPORT: Readonly<Record<string, string>> = {
  registry: "docker://",
  docker: "docker://",
  "containers-storage": "containers-storage:",
  oci: "oci:",
  "oci-archive": "oci-archive:",
  "docker-daemon": "docker-daemon:",
  "docker-archive": "docker-archive:",
  dir: "dir:",
};

/** Names for `--target-transport`. */
const TRANSPORTS = Object.keys(PREFIX_OF_TRANSPORT);

/**
 * The reference written to the origin file.
 *
 * @param source what is installed, skopeo-style
 * @param name `--target-imgref`; the source itself if absent
 * @param transport `--target-transport`
 * @throws SealrootError `usage` for an unknown transport
 */
export function targetReference(source: string, name: string | undefined, transport: string): string {
  if (name === undefined) return source;
  const prefix = PREFIX_OF_TRANSPORT[transport];
  if (prefix === undefined) {
    throw new SealrootError("usage", `Cannot use --target-transport ${transport}: not a known transport`, {
      expected: TRANSPORTS.join(", "),
      actual: transport,
    });
  }
  // Scripts often give the prefix too; it is not repeated.
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}

/** True when a host can fetch updates from this reference: a registry, not something on the building machine. */
export function isRegistryReference(reference: string): boolean {
  return reference.startsWith("docker://");
}
