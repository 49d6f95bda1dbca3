/** `sealroot repo compute-karg PATH`: the output of cfsctl. */
import { runStep } from "../../events/index.ts";
import { BOOT_TIMES_OPTION, bootTimesOption } from "../shared/boot-times-option.ts";
import { command } from "../shared/command.ts";
import { PLAIN_TREE_OPTION } from "../shared/directory-option.ts";
import {
  erofsVersionOption,
  hashOption,
  OPTIONAL_REPOSITORY_OPTIONS,
  openOptionalRepository,
} from "../shared/repository-option.ts";

export const repoComputeKarg = command({
  description: `Prints the kernel argument that boots a directory as the root: what compute-id --bootable computes, in the form that
states format and hash (composefs.digest=…), for version 2 in the plain form (composefs=…). Nothing is written.`,
  arguments: [{ name: "PATH", summary: "the root directory" }],
  options: [PLAIN_TREE_OPTION, BOOT_TIMES_OPTION, ...OPTIONAL_REPOSITORY_OPTIONS],
  reportsJson: true,
  examples: ["sealroot repo compute-karg --hash sha512 rootfs"],
  async run(invocation) {
    const { formatDigestArgument } = await import("../../bls/index.ts");
    const { directoryTree, imageIdOfTree } = await import("../../repository/index.ts");
    using repository = await openOptionalRepository(invocation);
    const algorithm = hashOption(invocation) ?? repository?.algorithm ?? "sha512";
    const version = erofsVersionOption(invocation) ?? repository?.formats.default ?? 1;
    const transform = !invocation.negated("propagate-usr-to-root");
    const bootTimes = bootTimesOption(invocation);
    const root = await runStep(invocation.events, "hash files", (reporter) =>
      directoryTree(invocation.argument("PATH"), { algorithm, reporter, bootable: true, bootTimes, transform }),
    );
    const imageId = imageIdOfTree(root, algorithm, version);
    const kernelArgument = formatDigestArgument(imageId, algorithm, version);
    if (invocation.json) invocation.output.json({ kernelArgument, imageId, algorithm, erofsVersion: version });
    else invocation.output.line(kernelArgument);
  },
});
