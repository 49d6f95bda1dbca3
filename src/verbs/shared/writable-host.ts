/** The running host, for verbs that change it. */
import { SealrootError } from "../../errors/index.ts";
import { type OpenedHost, openHost } from "../../host/index.ts";

/**
 * @param purpose as in the error: "roll back"
 * @throws SealrootError `unsupported` for a system that neither bootc nor sealroot has installed; as openHost
 */
export function openWritableHost(purpose: string): OpenedHost {
  const opened = openHost({ write: true });
  if (opened !== undefined) return opened;
  throw new SealrootError("unsupported", `Cannot ${purpose}: this system is not deployed via bootc`);
}
