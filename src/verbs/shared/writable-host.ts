/** The running host, for verbs that need one. */

import { SealrootError } from "../../errors/index.ts";
import { type OpenedHost, openHost } from "../../host/index.ts";

/**
 * @param purpose as in the error: "roll back"
 * @throws SealrootError `unsupported` for a system that neither bootc nor sealroot has installed; as openHost
 */
export function openWritableHost(purpose: string): OpenedHost {
  return openedFor(purpose, openHost({ write: true }));
}

/** As {@link openWritableHost}, for verbs that write nothing. */
export function openReadableHost(purpose: string): OpenedHost {
  return openedFor(purpose, openHost());
}

function openedFor(purpose: string, opened: OpenedHost | undefined): OpenedHost {
  if (opened !== undefined) return opened;
  throw new SealrootError("unsupported", `Cannot ${purpose}: this system is not deployed via bootc`);
}
