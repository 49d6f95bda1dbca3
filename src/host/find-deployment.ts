/** A deployment by what a person typed. */
import { SealrootError } from "../errors/index.ts";
import { idPrefixOf, onlyCandidate } from "../repository/index.ts";
import type { Host } from "./host.ts";

/** What is known of a deployment at the least: its id. */
export interface NamedDeployment {
  readonly deploymentId: string;
}

/**
 * The deployment whose id is given, or begins like that; also one about which only its boot entry is known.
 * @throws SealrootError `not-found`; `usage` when several begin like that
 */
export function deploymentByPrefix(host: Host, text: string): NamedDeployment {
  const ids = new Set(
    [host.staged, host.booted, host.rollback, ...host.others, ...host.entries].flatMap(
      (one) => one?.deploymentId ?? [],
    ),
  );
  const prefix = idPrefixOf(text, ["sha256", "sha512"]);
  const found = prefix === undefined ? [] : [...ids].filter((id) => id.startsWith(prefix));
  const deployment = onlyCandidate(
    text,
    found.map((deploymentId) => ({ deploymentId, shown: deploymentId })),
  );
  if (deployment !== undefined) return { deploymentId: deployment.deploymentId };
  throw new SealrootError("not-found", `Deployment ${text} not found`, {
    hint: "sealroot status shows the deployments there are",
  });
}
