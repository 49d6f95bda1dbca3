/** Certificates for one registry: certs.d directories, and the system's authorities (containers-certs.d(5)). */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { type HostPaths, userConfigurationDirectory } from "../oci/index.ts";
import { isAbsent } from "../platform/index.ts";

export interface HostCertificates {
  /** PEM texts: the system's authorities and those given for the host. */
  readonly authorities: readonly string[];
  /** The client's own certificates and keys, PEM. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
}

/**
 * Reads the certificates for `host`.
 *
 * The directories are tried in the order user, /etc/containers, /etc/docker; only the first that exists counts
 * (spec/chunked-and-policy.md 3.5). `*.crt` are authorities beside the system's; `NAME.cert` with `NAME.key` is the
 * client's certificate.
 *
 * @param host with the port if the reference has one
 * @param directory read instead of certs.d
 * @throws SealrootError `not-found` when `directory` does not exist, `conflict` for a certificate without its key or a
 *   key without its certificate
 */
export async function hostCertificates(host: string, paths: HostPaths, directory?: string): Promise<HostCertificates> {
  const candidates =
    directory !== undefined
      ? [directory]
      : [
          join(userConfigurationDirectory(paths), "containers/certs.d", host),
          join(paths.etcDirectory, "containers/certs.d", host),
          join(paths.etcDirectory, "docker/certs.d", host),
        ];
  for (const candidate of candidates) {
    const names = await namesIn(candidate, directory !== undefined);
    if (names !== undefined) return readCertificates(candidate, names);
  }
  return { authorities: systemAuthorities(), clients: [] };
}

async function namesIn(directory: string, required: boolean): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (!required && isAbsent(error, directory)) return undefined;
    throw asSealrootError(error, "Cannot read certificates", { path: directory });
  }
}

async function readCertificates(directory: string, names: readonly string[]): Promise<HostCertificates> {
  const text = (name: string) =>
    readFile(join(directory, name), "utf8").catch((error: unknown) => {
      throw asSealrootError(error, "Cannot read certificate", { path: join(directory, name) });
    });
  const authorities = await Promise.all(names.filter((name) => name.endsWith(".crt")).map(text));
  for (const name of names) {
    const other = name.endsWith(".cert") ? name.replace(/cert$/, "key") : name.replace(/key$/, "cert");
    if (!/\.(?:cert|key)$/.test(name) || names.includes(other)) continue;
    const what = `Cannot use ${join(directory, name)}: ${other} is missing beside it`;
    throw new SealrootError("conflict", what, {
      path: join(directory, name),
      hint: "a client's certificate NAME.cert needs NAME.key; authorities end in .crt",
    });
  }
  const clients = names
    .filter((name) => name.endsWith(".cert"))
    .map(async (name) => ({ certificate: await text(name), key: await text(name.replace(/cert$/, "key")) }));
  return { authorities: [...systemAuthorities(), ...authorities], clients: await Promise.all(clients) };
}

/** The authorities that the system trusts; Node's own if there are none. */
function systemAuthorities(): readonly string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("default");
}
