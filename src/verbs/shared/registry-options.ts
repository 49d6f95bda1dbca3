/** How a verb talks to registries: the same options for all of them, as in skopeo and podman. */
import { accessSync, constants } from "node:fs";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import type { ImageReference } from "../../oci/index.ts";
import type { Credentials, RegistryOptions } from "../../registry/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const REGISTRY_OPTIONS = [
  { flags: "--authfile <FILE>", summary: "file with logins (default: those of podman, skopeo and docker login)" },
  {
    flags: "--creds <USER:PASSWORD>",
    summary: "log in to the registry as USER",
    check: (text) => void parseCredentials(text),
  },
  { flags: "--cert-dir <DIR>", summary: "authorities (*.crt) and client certificate (*.cert, *.key) of the registry" },
  {
    flags: "--tls-verify <BOOL>",
    summary: "false: accept any certificate and plain HTTP (default: as registries.conf says)",
    choices: ["true", "false"],
  },
  { flags: "--registries-conf <FILE>", summary: "mirrors, locations, blocked registries (default: the system's)" },
] as const satisfies readonly OptionSpecification[];

/** What the options say. @throws SealrootError `usage` */
export function registryOptions(invocation: Invocation<typeof REGISTRY_OPTIONS>): RegistryOptions {
  const authFile = invocation.option("authfile");
  const credentials = invocation.option("creds");
  const certificateDirectory = invocation.option("cert-dir");
  const tlsVerify = invocation.option("tls-verify");
  const registriesConf = invocation.option("registries-conf");
  for (const [option, path] of Object.entries({ authfile: authFile, "cert-dir": certificateDirectory })) {
    if (path !== undefined) requireReadable(option, path);
  }
  if (registriesConf !== undefined) requireReadable("registries-conf", registriesConf);
  return {
    ...(authFile === undefined ? {} : { authFile }),
    ...(credentials === undefined ? {} : { credentials: parseCredentials(credentials) }),
    ...(certificateDirectory === undefined ? {} : { certificateDirectory }),
    ...(tlsVerify === undefined ? {} : { tlsVerify: tlsVerify === "true" }),
    ...(registriesConf === undefined ? {} : { registriesConf }),
    events: invocation.events,
  };
}

/**
 * For verbs that read from one place and write to another: a password is for one registry and must not reach the other.
 * @throws SealrootError `usage` when --creds is given and the references name registries on several hosts
 */
export function refuseSharedLogin(
  invocation: Invocation<typeof REGISTRY_OPTIONS>,
  references: readonly ImageReference[],
): void {
  const hosts = references.flatMap((reference) => (reference.transport === "docker" ? [reference.host] : []));
  if (invocation.option("creds") === undefined || new Set(hosts).size < 2) return;
  throw new SealrootError("usage", `Cannot log in: --creds would go to ${[...new Set(hosts)].join(" and ")}`, {
    hint: "log in to both with podman login or skopeo login, and leave out --creds",
  });
}

/** What the user names must exist: a missing login would only show up as a refusal by the registry. */
function requireReadable(option: string, path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw asSealrootError(error, `Cannot use --${option} ${path}`, { path });
  }
}

/** The password may contain colons, the name may not (RFC 7617 section 2). */
function parseCredentials(text: string): Credentials {
  const colon = text.indexOf(":");
  if (colon > 0) return { type: "password", userName: text.slice(0, colon), password: text.slice(colon + 1) };
  throw new SealrootError("usage", "Cannot log in: --creds is not USER:PASSWORD", {
    hint: "or log in with podman login and leave out --creds",
  });
}
