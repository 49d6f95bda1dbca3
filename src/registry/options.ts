/** What a caller may decide about talking to registries. */
import type { EventSink } from "../events/index.ts";
import type { HostPaths } from "../oci/index.ts";

/** A user's name and password, or a token that stands for both (spec/chunked-and-policy.md 3.6). */
export type Credentials =
  | { readonly type: "password"; readonly userName: string; readonly password: string }
  | { readonly type: "identity-token"; readonly token: string };

export interface RegistryOptions {
  /** The only file with credentials that is read; the usual places if absent. */
  readonly authFile?: string;
  /** Used instead of any file, but only for the host that the reference names. */
  readonly credentials?: Credentials;
  /** Read instead of certs.d: `*.crt` are authorities, `*.cert` and `*.key` the client's certificate. */
  readonly certificateDirectory?: string;
  /** False: neither check certificates nor demand HTTPS. True: demand both, whatever the configuration says. */
  readonly tlsVerify?: boolean;
  /** The main configuration file; the usual places when absent. */
  readonly registriesConf?: string;
  readonly limits?: Partial<RegistryLimits>;
  readonly events?: EventSink;
  /** The machine whose configuration counts; this one when absent. */
  readonly paths?: HostPaths;
}

/** Bounds of every exchange with a registry. */
export interface RegistryLimits {
  /** For name look-up, connection and TLS together. */
  readonly connectTimeoutMs: number;
  /** From the sent request to the head of the answer. */
  readonly headTimeoutMs: number;
  /**
   * In every span of this length a body must bring at least {@link stallBytes}; a sent one must make some progress.
   */
  readonly stallTimeoutMs: number;
  readonly stallBytes: number;
  /** How often a failed request is sent again, and how often in a row an interrupted blob may bring nothing. */
  readonly retries: number;
  /** Before the first retry; doubled for each further one. */
  readonly retryDelayMs: number;
  /** Longest wait before a retry, whatever Retry-After asks for. */
  readonly retryDelayMaxMs: number;
  /** Concurrent connections to one host. */
  readonly connections: number;
}

export const DEFAULT_LIMITS: RegistryLimits = {
  connectTimeoutMs: 20_000,
  headTimeoutMs: 60_000,
  stallTimeoutMs: 30_000,
  stallBytes: 4096,
  retries: 4,
  retryDelayMs: 1000,
  retryDelayMaxMs: 60_000,
  connections: 8,
};
