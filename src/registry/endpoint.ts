/** Where an image really is: the place a reference names, or a mirror of it. */

export interface Endpoint {
  /** Host, and port if given, as in names: `docker.io` is not yet the host of its API. */
  readonly host: string;
  readonly repository: string;
  /** True when the configuration accepts an invalid certificate or no encryption. */
  readonly isInsecure: boolean;
}

/** `HOST/REPOSITORY`. */
export function endpointName({ host, repository }: Endpoint): string {
  return `${host}/${repository}`;
}

/** The host that serves an endpoint's API: Docker Hub's has another name (spec/chunked-and-policy.md 4.1). */
export function interfaceHost(host: string): string {
  return host === "docker.io" || host === "index.docker.io" ? "registry-1.docker.io" : host;
}
