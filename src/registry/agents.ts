/** Connections: one agent for each scheme and host, which bounds and reuses them. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { asSealrootError } from "../errors/index.ts";
import type { HostPaths } from "../oci/index.ts";
import { hostCertificates } from "./certificates.ts";
import type { RegistryLimits } from "./options.ts";
import { proxyEnvironment } from "./proxies.ts";

export interface AgentOptions {
  readonly paths: HostPaths;
  readonly limits: RegistryLimits;
  readonly certificateDirectory: string | undefined;
  /** True for a host whose certificate need not be valid. */
  isInsecure(host: string): boolean;
}

/** Delay before the next address of a host is tried as well; Node's own 250 ms is too short for far registries. */
const NEXT_ADDRESS_MS = 2000;

/** True for a name or address of this machine itself, with or without port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** The agents of one client, each made when its host is first contacted. */
export class Agents {
  readonly #options: AgentOptions;
  readonly #agents = new Map<string, Promise<HttpAgent | HttpsAgent>>();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** @throws SealrootError as hostCertificates */
  for(url: URL): Promise<HttpAgent | HttpsAgent> {
    const key = url.origin;
    const agent = this.#agents.get(key) ?? this.#make(url);
    this.#agents.set(key, agent);
    return agent;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const agents = await Promise.allSettled(this.#agents.values());
    for (const agent of agents) if (agent.status === "fulfilled") agent.value.destroy();
    this.#agents.clear();
  }

  async #make(url: URL): Promise<HttpAgent | HttpsAgent> {
    const { limits, paths, certificateDirectory } = this.#options;
    const common = {
      keepAlive: true,
      maxSockets: limits.connections,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
      // As everywhere, this machine itself is not reached through a proxy.
      ...(isLoopback(url.host) ? {} : { proxyEnv: proxyEnvironment(paths.environment) }),
    };
    if (url.protocol === "http:") return new HttpAgent(common);
    if (this.#options.isInsecure(url.host)) return new HttpsAgent({ ...common, rejectUnauthorized: false });
    const { authorities, clients } = await hostCertificates(url.host, paths, certificateDirectory);
    try {
      return new HttpsAgent({
        ...common,
        ca: [...authorities],
        cert: clients.map(({ certificate }) => certificate),
        key: clients.map(({ key }) => key),
      });
    } catch (error) {
      throw asSealrootError(error, `Cannot use the certificates for ${url.host}`, { path: url.host });
    }
  }
}
