/** `sealroot container compute-composefs-digest DIR`. */
import { createWriteStream, realpathSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import { BOOT_TIMES_OPTION, bootTimesOption } from "../shared/boot-times-option.ts";
import { command } from "../shared/command.ts";
import { checkOutputFile } from "../shared/output-file.ts";

export const containerComputeComposefsDigest = command({
  description: `Prints the digest that a UKI of this root file system carries as composefs=: SHA-512, of the boot
variant. The directory is a mounted or extracted image; / itself is refused, since the running root differs from its
image.`,
  arguments: [{ name: "DIR", summary: "the root file system (default: /target)", optional: true }],
  options: [
    { flags: "--write-dumpfile-to <FILE>", summary: "also write the tree as composefs dump text" },
    { flags: "--erofs-version <V>", summary: "of the image in this version (default: v1)", choices: ["v1", "v2"] },
    BOOT_TIMES_OPTION,
  ],
  reportsJson: true,
  examples: ["sealroot container compute-composefs-digest rootfs"],
  async run(invocation) {
    const { directoryTree, imageIdOfTree } = await import("../../repository/index.ts");
    const { dumpLines } = await import("../../tree/index.ts");
    const bootTimes = bootTimesOption(invocation);
    const version = invocation.option("erofs-version") === "v2" ? 2 : 1;
    const path = invocation.optionalArgument("DIR") ?? "/target";
    if (isRoot(path))
      throw new SealrootError("usage", "Cannot compute the digest of /: it is the running system, not an image");
    const dumpFile = invocation.option("write-dumpfile-to");
    checkOutputFile(dumpFile, "dump file");
    const root = await runStep(invocation.events, "hash files", (reporter) =>
      directoryTree(path, { algorithm: "sha512", bootable: true, bootTimes, reporter }),
    );
    if (dumpFile !== undefined) await pipeline(dumpLines(root), createWriteStream(dumpFile));
    const imageId = imageIdOfTree(root, "sha512", version);
    if (invocation.json) invocation.output.json({ imageId, algorithm: "sha512", erofsVersion: version });
    else invocation.output.line(imageId);
  },
});

function isRoot(path: string): boolean {
  try {
    return realpathSync(path) === "/";
  } catch {
    // Whether it exists is the scan's question.
    return false;
  }
}
