/** Where an image really lies: the place a reference names, or a mirror of it. */

export interface Endpoint {
  /** Host, and port where one is given, as names are written: `docker.io` is not yet the host of its interface. */
  readonly host: string;
  readonly repository: string;
  /** True when the configuration accepts an unproved certificate or no encryption. */
  readonly isInsecure: boolean;
}

/** `HOST/REPOSITORY`. */
export function endpointName({ host, repository }: Endpoint): string {
  return `${host}/${repository}`;
}

/** The host that serves an endpoint's interface: Docker Hub's has another name (spec/chunked-and-policy.md 4.1). */
export function interfaceHost(host: string): string {
  return host === "docker.io" || host === "index.docker.io" ? "registry-1.docker.io" : host;
}
