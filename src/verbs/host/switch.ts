/** `sealroot switch IMAGE` */
import { SealrootError } from "../../errors/index.ts";
import { type ArgumentSpecification, command, type OptionSpecification } from "../shared/command.ts";
import { openTarget, printPlan, reportOutcome, stageTarget, UPDATE_OPTIONS } from "../shared/update-verb.ts";
import { openReadableHost, openWritableHost } from "../shared/writable-host.ts";

const ARGUMENTS = [
  { name: "TARGET", summary: "the image to follow, such as quay.io/example/os:stable", holds: "reference" },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  {
    flags: "--transport <TRANSPORT>",
    summary: "where TARGET is: registry (default), oci, oci-archive, containers-storage …",
  },
  {
    flags: "--enforce-container-sigpolicy",
    summary: "refuse an image unless the policy rejects by default",
    excludes: ["insecure-policy"],
  },
  { flags: "--retain", summary: "refused: pin the deployment that is to stay", hidden: true },
  { flags: "--download-only", summary: "with --plan: fetch the image, to be exact", needs: ["plan"] },
  ...UPDATE_OPTIONS,
] as const satisfies readonly OptionSpecification[];

export const switchCommand = command({
  description: `As upgrade, to another image, which this host follows from then on. When it is the image that this host has
already, only the name changes.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  reportsJson: true,
  examples: ["sealroot switch quay.io/example/os:stable", "sealroot switch --transport oci-archive /run/media/os.tar"],
  async run(invocation) {
    if (invocation.flag("retain")) {
      throw new SealrootError("unsupported", "Cannot use --retain: deployments are kept by pinning them", {
        hint: "sealroot pin ID",
      });
    }
    const { readHost } = await import("../../host/index.ts");
    const { switchTarget } = await import("../../update/index.ts");
    const target = switchTarget(
      invocation.argument("TARGET"),
      invocation.option("transport") ?? "registry",
      invocation.option("source-imgref"),
    );
    const plans = invocation.flag("plan");
    const fetches = invocation.flag("download-only");
    using opened = plans && !fetches ? openReadableHost("plan the switch") : openWritableHost("switch");
    const host = await readHost(opened.places);
    if (plans) return await printPlan(invocation, opened.places, host, target, fetches);
    await using update = await openTarget(invocation, opened.places, host, target);
    const outcome = await stageTarget(invocation, opened.places, host, update, false);
    await reportOutcome(invocation, opened.places, target, outcome);
  },
});
