/** Which policy applies, and applying it to an opened image. */
import { SealrootError } from "../errors/index.ts";
import { findPolicy, type Policy, policySearchPath, readPolicy } from "./policy-file.ts";
import type { PolicySubject } from "./subject.ts";

/** What the caller wants images checked against. */
export type PolicyChoice =
  /** Nothing is checked: for what was made here, and when the caller asks for it. */
  | "accept-anything"
  | {
      /** The policy; that of the machine when absent. If the machine has none, everything is accepted. */
      readonly path?: string;
      /** There must be a policy, and by default it must not accept everything (bootc's `--enforce-container-sigpolicy`). */
      readonly enforced?: boolean;
    };

export const MACHINE_POLICY: PolicyChoice = {};
export const ACCEPT_ANYTHING: PolicyChoice = "accept-anything";

/**
 * The policy that a choice selects; undefined when anything is accepted.
 * @throws SealrootError as readPolicy; `untrusted` when a policy must be enforced and none decides
 */
export async function loadPolicy(choice: PolicyChoice): Promise<Policy | undefined> {
  if (choice === "accept-anything") return undefined;
  const policy = choice.path === undefined ? await findPolicy() : await readPolicy(choice.path);
  return choice.enforced === true ? requireDecision(policy) : policy;
}

function requireDecision(policy: Policy | undefined): Policy {
  const hint = 'write one whose default is [{"type":"reject"}] and that names who may sign';
  if (policy === undefined) {
    throw new SealrootError("untrusted", `Cannot enforce a policy: there is none at ${policySearchPath().join(", ")}`, {
      hint,
    });
  }
  if (policy.default.every(({ type }) => type === "insecureAcceptAnything")) {
    throw new SealrootError("untrusted", `Cannot enforce policy ${policy.path}: its default accepts anything`, {
      path: policy.path,
      hint,
    });
  }
  return policy;
}

/**
 * Checks an image against the chosen policy.
 * @throws SealrootError as {@link loadPolicy} and assertAccepted
 */
export async function enforcePolicy(choice: PolicyChoice, subject: PolicySubject): Promise<void> {
  const policy = await loadPolicy(choice);
  if (policy === undefined) return;
  // The code that verifies signatures is loaded only if there is a policy.
  const { assertAccepted } = await import("./evaluate.ts");
  await assertAccepted(policy, subject);
}
