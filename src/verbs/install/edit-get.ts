/** `sealroot install edit get DISK PATH`. */
import { command } from "../shared/command.ts";
import {
  DEPLOYMENT_OPTION,
  DISK_ARGUMENT,
  editTarget,
  STATE_PATH_ARGUMENT,
  WHERE_TEXT,
} from "../shared/edit-options.ts";

export const installEditGet = command({
  description: `Writes the bytes of one file of /etc or /var of the deployment that boots from DISK, to standard output or
with -o to a file, which gets its name when it is complete.

${WHERE_TEXT}`,
  arguments: [DISK_ARGUMENT, STATE_PATH_ARGUMENT],
  options: [{ flags: "-o, --output <FILE>", summary: "file to write (default: standard output)" }, DEPLOYMENT_OPTION],
  examples: [
    "sealroot install edit get disk.img /etc/hostname",
    "sealroot install edit get disk.img /var/log/messages -o messages",
  ],
  async run(invocation) {
    const { readStateFile, saveStateFile } = await import("../../install/index.ts");
    const [target, path, output] = [editTarget(invocation), invocation.argument("PATH"), invocation.option("output")];
    if (output !== undefined) await saveStateFile(target, path, output);
    // Written when there is room for it, which may be after the next piece was asked for.
    else await readStateFile(target, path, (piece) => invocation.output.bytes(Uint8Array.from(piece)));
  },
});
