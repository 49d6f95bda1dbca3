/** What `upgrade` and `switch` share: from the opened host to the outcome in words. */
import type { Host, HostPlaces } from "../../host/index.ts";
import type { OpenedUpdate, UpdateOutcome, UpdateTarget } from "../../update/index.ts";
import { APPLY_OPTIONS, applyDeployment } from "./apply-option.ts";
import type { AnyInvocation, Invocation, OptionSpecification } from "./command.ts";
import { POLICY_OPTIONS, policyChoice } from "./policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "./registry-options.ts";

export const UPDATE_OPTIONS = [
  ...APPLY_OPTIONS,
  {
    flags: "--plan",
    summary: "say what the update would do; writes nothing, or with --download-only fetches first and is exact",
    excludes: ["apply", "soft-reboot"],
  },
  { flags: "-v, --verbose", summary: "with --plan: every package and file", needs: ["plan"] },
  {
    flags: "--source-imgref <REFERENCE>",
    summary: "take the image from here this once, such as oci:/run/media/stick",
  },
  {
    flags: "--etc <POLICY>",
    summary: "where /etc was changed in a way that does not fit the new image: keep, theirs, abort (default)",
    choices: ["keep", "theirs", "abort"],
  },
  {
    flags: "--uki-addon <NAME>",
    summary: "give the new deployment the image's add-on NAME too; those that this host has go along by their names",
    repeat: true,
  },
  {
    flags: "--global-uki-addon <NAME>",
    summary: "install the image's global add-on NAME, for every UKI of the ESP, when the host is switched",
    repeat: true,
  },
  { flags: "--allow-missing-verity", summary: "accept an image that also boots without fs-verity" },
  { flags: "--allow-downgrade", summary: "accept an image with a lower rollback index than one that ran well here" },
  { flags: "--retry-failed", summary: "take an image again whose boots failed on this host" },
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof UPDATE_OPTIONS>;

/** Opens the image of the target. The caller disposes of it. */
export async function openTarget(
  invocation: Call,
  places: HostPlaces,
  host: Host,
  target: UpdateTarget,
): Promise<OpenedUpdate> {
  const { openUpdate } = await import("../../update/index.ts");
  return openUpdate(places, host, target, {
    registry: registryOptions(invocation),
    policy: policyChoice(invocation),
    events: invocation.events,
  });
}

/** Prints the plan of an update. Only the one that fetches the image needs a host that can be written to. */
export async function printPlan(
  invocation: Call & Pick<AnyInvocation, "json">,
  places: HostPlaces,
  host: Host,
  target: UpdateTarget,
  fetches: boolean,
): Promise<void> {
  const { machineOptions, planFetched, planFromRegistry, planJson, planText } = await import("../../update/index.ts");
  await using update = await openTarget(invocation, places, host, target);
  const plan = await (fetches ? planFetched : planFromRegistry)(places, host, update, {
    ...machineOptions(),
    ...choices(invocation, host),
  });
  if (invocation.json) invocation.output.json({ plan: planJson(plan) });
  else for (const line of planText(plan, invocation.flag("verbose"))) invocation.output.line(line);
}

function choices(invocation: Call, { booted }: Host) {
  return {
    etc: etcPolicy(invocation),
    addons: { scoped: invocation.list("uki-addon"), global: invocation.list("global-uki-addon") },
    allowMissingVerity: invocation.flag("allow-missing-verity") || (booted?.missingVerityAllowed ?? false),
    allowDowngrade: invocation.flag("allow-downgrade"),
    retryFailed: invocation.flag("retry-failed"),
    events: invocation.events,
  };
}

/** Stages the update on the running host. */
export async function stageTarget(
  invocation: Call,
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  downloadOnly: boolean,
): Promise<UpdateOutcome> {
  const { machineOptions, updateHost } = await import("../../update/index.ts");
  return updateHost(places, host, update, {
    ...machineOptions(),
    ...choices(invocation, host),
    downloadOnly,
  });
}

function etcPolicy(invocation: Call): "keep" | "theirs" | "abort" {
  const policy = invocation.option("etc") ?? "abort";
  if (policy === "keep" || policy === "theirs" || policy === "abort") return policy;
  throw new Error("unreachable: the parser checks the choices");
}

/** Says what came of it, as bootc does, and reboots when that is wanted. */
export async function reportOutcome(
  invocation: Call & Pick<AnyInvocation, "json">,
  places: HostPlaces,
  target: UpdateTarget,
  outcome: UpdateOutcome,
): Promise<void> {
  if (invocation.json) invocation.output.json({ ...outcome, image: target.imageReference });
  else for (const line of outcomeLines(target, outcome)) invocation.output.line(line);
  const willBeBooted = outcome.result === "staged" || outcome.standing === "staged";
  if (willBeBooted) await applyDeployment(invocation, places, outcome.deploymentId);
}

/** The outcome in words. */
export function outcomeLines({ imageReference }: UpdateTarget, outcome: UpdateOutcome): string[] {
  return [...resultLines(imageReference, outcome), ...(outcome.addons ?? []).map(addonLine)];
}

/** One that was named, of an image that the host has already. */
function addonLine({ name, result }: NonNullable<UpdateOutcome["addons"]>[number]): string {
  return result === "present" ? `Addon ${name} is already present` : `Addon ${name} takes effect at the next boot`;
}

function resultLines(imageReference: string, outcome: UpdateOutcome): string[] {
  const { result, standing, deploymentId, followsNewReference } = outcome;
  if (result === "staged") return [`Queued for next boot: ${imageReference}`, `  Deployment: ${deploymentId}`];
  if (result === "downloaded") {
    return [
      `Downloaded: ${imageReference}`,
      `  Deployment: ${deploymentId}`,
      "To apply it at the next boot run `sealroot upgrade --from-downloaded`",
    ];
  }
  const follows = followsNewReference ? [`This host follows ${imageReference} from now on`] : [];
  switch (standing) {
    case "staged":
      return ["Update already staged. To apply update run `sealroot upgrade --apply`", ...follows];
    case "rollback":
    case "other":
      return [
        `No changes in: ${imageReference}`,
        standing === "rollback"
          ? "It is the rollback deployment: `sealroot rollback` boots it"
          : "It is one of the other deployments of this host",
      ];
    default:
      return [`No changes in: ${imageReference}`, ...follows];
  }
}
