/** From a reference and the machine's configuration to clients that are ready to ask. */
import { SealrootError } from "../errors/index.ts";
import type { RegistryReference } from "../oci/index.ts";
import { hostPaths } from "../oci/index.ts";
import { endpointForWriting, endpointsForReading } from "./choose-endpoints.ts";
import { RegistryClient } from "./client.ts";
import { findCredentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { type FetchedManifest, getManifest } from "./manifests.ts";
import type { RegistryOptions } from "./options.ts";
import { type RegistriesConfiguration, readRegistriesConfiguration } from "./registries-configuration.ts";

/** The place that has an image, and the image's manifest or index. */
export interface FoundImage {
  readonly client: RegistryClient;
  readonly manifest: FetchedManifest;
}

/**
 * Finds the place to read an image from: the first of its mirrors and its own registry that delivers the manifest. It
 * then serves everything else too. The caller closes the client.
 *
 * @throws SealrootError as getManifest; when several places were tried, with the code of the last and the reasons of all
 */
export async function findImageInRegistry(
  reference: RegistryReference,
  options: RegistryOptions = {},
): Promise<FoundImage> {
  const configuration = await readConfiguration(options);
  const failures: unknown[] = [];
  for (const endpoint of endpointsForReading(reference, configuration.rules)) {
    const client = clientFor(endpoint, reference, configuration, options);
    try {
      return { client, manifest: await getManifest(client, reference.digest ?? reference.tag ?? "latest") };
    } catch (error) {
      await client.close();
      failures.push(error);
    }
  }
  throw allFailed(failures);
}

/**
 * A client for writing to the repository that a reference names. Mirrors are not involved. The caller closes it.
 * @throws SealrootError `no-access` when the configuration blocks the registry
 */
export async function openForWriting(
  reference: RegistryReference,
  options: RegistryOptions = {},
): Promise<RegistryClient> {
  const configuration = await readConfiguration(options);
  return clientFor(endpointForWriting(reference, configuration.rules), reference, configuration, options);
}

function readConfiguration(options: RegistryOptions): Promise<RegistriesConfiguration> {
  return readRegistriesConfiguration(options.paths ?? hostPaths(), options.registriesConf);
}

function clientFor(
  endpoint: Endpoint,
  reference: RegistryReference,
  { credentialHelpers }: RegistriesConfiguration,
  options: RegistryOptions,
): RegistryClient {
  const { host, repository } = endpoint;
  // Credentials that the user typed are for the host that was typed.
  const given = host === reference.host ? options.credentials : undefined;
  const search = {
    host,
    repository,
    authFile: options.authFile,
    helpers: credentialHelpers,
    paths: options.paths ?? hostPaths(),
  };
  return new RegistryClient({
    ...options,
    endpoint,
    findCredentials: async () => given ?? findCredentials(search),
  });
}

function allFailed(failures: readonly unknown[]): unknown {
  const last = failures.at(-1);
  if (failures.length === 1 || !(last instanceof SealrootError)) return last;
  const reasons = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
  return new SealrootError(last.code, reasons.join("; "), last.data, last);
}
