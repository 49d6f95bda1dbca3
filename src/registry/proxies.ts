/** Proxies from the environment, in the form that Node accepts. */
import { SealrootError } from "../errors/index.ts";

const PROXY_VARIABLES = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"];

/**
 * The environment with its proxies as addresses. `HOST:PORT` is an HTTP proxy, as for curl and Go; Node would ignore
 * it, and every other kind of proxy, and connect directly.
 *
 * @throws SealrootError `usage` for an invalid address, `unsupported` for other kinds of proxies
 */
export function proxyEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const result = { ...environment };
  for (const name of PROXY_VARIABLES) {
    const value = environment[name]?.trim();
    if (value) result[name] = proxyAddress(value, name);
  }
  return result;
}

function proxyAddress(value: string, name: string): string {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  // An address may hold a password.
  const shown = value.replace(/\/\/[^@/]*@|^[^@/]*@/, (match) => (match.startsWith("//") ? "//" : ""));
  const hint = "write http://HOST:PORT";
  if (url === null || url.host === "") {
    throw new SealrootError("usage", `Cannot use proxy "${shown}" of ${name}: it is not an address`, { hint });
  }
  if (url.protocol === "http:" || url.protocol === "https:") return url.href;
  const kind = url.protocol.slice(0, -1);
  throw new SealrootError("unsupported", `Cannot use proxy "${shown}" of ${name}: ${kind} is not supported`, { hint });
}
