/** Which policy an image must satisfy: the same options for every verb that reads one. */
import type { PolicyChoice } from "../../policy/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const POLICY_OPTIONS = [
  { flags: "--policy <FILE>", summary: "policy.json that the image must satisfy (default: the machine's)" },
  {
    flags: "--insecure-policy",
    summary: "accept the image whatever the machine's policy says",
    excludes: ["policy"],
  },
] as const satisfies readonly OptionSpecification[];

/** bootc's, for verbs that install. */
export const ENFORCE_POLICY_OPTION = {
  flags: "--enforce-container-sigpolicy",
  summary: "refuse to install without a policy that rejects by default",
  excludes: ["insecure-policy"],
} as const satisfies OptionSpecification;

/**
 * The choice made by the options.
 * @param enforced whether {@link ENFORCE_POLICY_OPTION} was given, for verbs that have it
 */
export function policyChoice(invocation: Invocation<typeof POLICY_OPTIONS>, enforced = false): PolicyChoice {
  const path = invocation.option("policy");
  if (invocation.flag("insecure-policy")) return "accept-anything";
  return { ...(path === undefined ? {} : { path }), enforced };
}
