/** What `addon add` and `addon remove` have in common. */
import type { AddonTarget, DiskAddonChange } from "../../addon/index.ts";
import type { Invocation, OptionSpecification } from "../shared/command.ts";

export const PLACE_OPTIONS = [
  { flags: "--deployment <ID>", summary: "for this deployment (default: the one that boots)" },
  { flags: "--global", summary: "for every UKI of the disk, also of later images", excludes: ["deployment"] },
] as const satisfies readonly OptionSpecification[];

export function addonTarget(invocation: Invocation<typeof PLACE_OPTIONS>, disk: string): AddonTarget {
  return {
    disk,
    deployment: invocation.option("deployment"),
    scope: invocation.flag("global") ? "global" : "scoped",
    events: invocation.events,
  };
}

export function changeText({ name, scope, deploymentId, change }: DiskAddonChange): string {
  const whose = scope === "global" ? "every UKI" : `deployment ${deploymentId}`;
  return `${change} ${name} (${whose})`;
}
