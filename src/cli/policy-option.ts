/** Which policy decides about an image: the same options for every verb that reads one. */
import { SealrootError } from "../errors/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const POLICY_OPTIONS: readonly OptionSpecification[] = [
  { flags: "--policy <FILE>", summary: "policy.json that decides about the image (default: the machine's)" },
  { flags: "--insecure-policy", summary: "accept the image whatever the machine's policy says" },
];

/** bootc's, for verbs that install. */
export const ENFORCE_POLICY_OPTION: OptionSpecification = {
  flags: "--enforce-container-sigpolicy",
  summary: "refuse to install without a policy that by default refuses",
};

/**
 * The choice that the options make.
 * @param enforced whether {@link ENFORCE_POLICY_OPTION} was given, for verbs that have it
 * @throws SealrootError `usage` for options that contradict each other
 */
export function policyChoice(invocation: Invocation, enforced = false): PolicyChoice {
  const path = invocation.option("policy");
  const insecure = invocation.flag("insecure-policy");
  if ((path !== undefined || enforced) && insecure) {
    const other = path === undefined ? "--enforce-container-sigpolicy" : "--policy";
    throw new SealrootError("usage", `Cannot choose a policy: ${other} and --insecure-policy exclude each other`);
  }
  if (insecure) return "accept-anything";
  return { ...(path === undefined ? {} : { path }), enforced };
}
