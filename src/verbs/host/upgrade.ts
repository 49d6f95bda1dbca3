/** `sealroot upgrade` */

import { formatSize } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { OpenedHost } from "../../host/index.ts";
import type { OpenedUpdate } from "../../update/index.ts";
import { applyDeployment } from "../shared/apply-option.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { openTarget, printPlan, reportOutcome, stageTarget, UPDATE_OPTIONS } from "../shared/update-verb.ts";
import { openReadableHost, openWritableHost } from "../shared/writable-host.ts";

const OPTIONS = [
  {
    flags: "--check",
    summary: "say whether there is an update; writes nothing",
    excludes: ["apply", "download-only", "soft-reboot", "plan", "uki-addon", "global-uki-addon"],
  },
  {
    flags: "--download-only",
    summary: "fetch and check the update; it is not taken before --from-downloaded",
    excludes: ["apply"],
  },
  {
    flags: "--from-downloaded",
    summary: "let the next boot take what --download-only fetched",
    excludes: [
      ...["check", "download-only", "plan", "tag", "source-imgref", "from-delta"],
      ...["uki-addon", "global-uki-addon"],
    ],
  },
  { flags: "--tag <TAG>", summary: "upgrade to another tag of the image" },
  {
    flags: "--from-delta <PATH>",
    summary: "make the image of an oci-delta, an archive or a directory, and of what this host has",
    excludes: ["from-downloaded", "tag", "source-imgref"],
  },
  ...UPDATE_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const upgrade = command({
  description: `Fetches the image that this host follows and stages it for the next boot, when it has changed. What runs stays as
it is. Everything is checked before a boot entry is touched: the policy, all digests, the signature of the UKI against
the keys of this machine, the room on the ESP, and whether what was changed in /etc fits the new image.

At shutdown /etc is merged and the boot entries are switched in one step; until then the update can be dropped with
delete-deployment. With --check it exits with 0 whether or not there is an update; --json says which.

With --plan it says what the update would do: what is fetched and what room it takes, which packages and files change,
conflicts in /etc, kernel arguments, what a TPM measures, what gc removes then.

With --from-delta nothing is asked of the registry. The delta must start from an image that this host has; the image that it
leads to must satisfy the policy of the one that is followed, and every layer must come out with its digest.`,
  options: OPTIONS,
  reportsJson: true,
  examples: ["sealroot upgrade --check", "sealroot upgrade --plan", "sealroot upgrade", "sealroot upgrade --apply"],
  async run(invocation) {
    const { openHost, readHost } = await import("../../host/index.ts");
    const { upgradeTarget } = await import("../../update/index.ts");
    if (invocation.flag("check")) {
      using opened = openHost();
      return await check(invocation, opened);
    }
    const plans = invocation.flag("plan");
    const fetches = invocation.flag("download-only");
    using opened = plans && !fetches ? openReadableHost("plan the upgrade") : openWritableHost("upgrade");
    if (invocation.flag("from-downloaded")) return await fromDownloaded(invocation, opened);
    const host = await readHost(opened.places);
    const target = upgradeTarget(host, choice(invocation));
    if (plans) return await printPlan(invocation, opened.places, host, target, fetches);
    await using update = await openTarget(invocation, opened.places, host, target);
    const outcome = await stageTarget(invocation, opened.places, host, update, fetches);
    await reportOutcome(invocation, opened.places, target, outcome);
  },
});

function choice(invocation: Call) {
  const delta = invocation.option("from-delta");
  return { tag: invocation.option("tag"), source: invocation.option("source-imgref"), delta };
}

async function check(invocation: Call, opened: OpenedHost | undefined): Promise<void> {
  if (opened === undefined) {
    throw new SealrootError("unsupported", "Cannot check for updates: this system is not deployed via bootc");
  }
  const { readHost } = await import("../../host/index.ts");
  const { layersOf, upgradeTarget } = await import("../../update/index.ts");
  const host = await readHost(opened.places);
  const target = upgradeTarget(host, choice(invocation));
  await using update = await openTarget(invocation, opened.places, host, target);
  const layers = await layersOf(opened.places, host, update);
  if (invocation.json) {
    const { standing, manifestDigest } = update;
    invocation.output.json({
      image: target.imageReference,
      manifestDigest,
      updateAvailable: standing === "new",
      standing,
      layers,
    });
    return;
  }
  for (const line of checkLines(target.imageReference, update, layers)) invocation.output.line(line);
}

interface Layers {
  readonly count: number;
  readonly bytes: number;
}

/** What `--check` tells, in bootc's words and columns. */
export function checkLines(
  reference: string,
  { standing, manifestDigest, image }: OpenedUpdate,
  layers: { readonly total: Layers; readonly removed: Layers; readonly added: Layers },
): string[] {
  if (standing === "booted") return [`No changes in: ${reference}`];
  if (standing === "staged") return ["Update already staged. To apply update run `sealroot upgrade --apply`"];
  const version = image.manifest.annotations?.["org.opencontainers.image.version"];
  const line = (name: string, { count, bytes }: Layers) =>
    `${name.padEnd(18)}${String(count).padEnd(4)}  Size: ${formatSize(bytes)}`;
  return [
    `Update available for: ${reference}`,
    ...(version === undefined ? [] : [`  Version: ${version}`]),
    `  Digest: ${manifestDigest}`,
    line("Total new layers:", layers.total),
    line("Removed layers:", layers.removed),
    line("Added layers:", layers.added),
  ];
}

async function fromDownloaded(invocation: Call, { places }: OpenedHost): Promise<void> {
  const { readHost, startFinalizer } = await import("../../host/index.ts");
  const { applyDownloaded } = await import("../../update/index.ts");
  const isUnlocked = await applyDownloaded(places, { startFinalizer });
  if (invocation.json) invocation.output.json({ result: isUnlocked ? "staged" : "unchanged" });
  else if (isUnlocked) invocation.output.line("The downloaded deployment is taken at the next boot");
  else {
    invocation.output.line("Staged deployment is present and not in download only mode.");
    invocation.output.line("Use `sealroot upgrade --apply` to apply the update.");
  }
  const { staged } = await readHost(places);
  if (staged !== undefined) await applyDeployment(invocation, places, staged.deploymentId);
}
