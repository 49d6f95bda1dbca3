/** `sealroot install edit remove DISK PATH`. */
import { command } from "../shared/command.ts";
import {
  CHANGE_TEXT,
  DEPLOYMENT_OPTION,
  DISK_ARGUMENT,
  runEdit,
  STATE_PATH_ARGUMENT,
  WHERE_TEXT,
} from "../shared/edit-options.ts";

export const installEditRemove = command({
  description: `Removes a file, a link or an empty directory from /etc or /var of the deployment that boots from DISK. A link at the end
of PATH is removed itself.

${WHERE_TEXT}

${CHANGE_TEXT}`,
  arguments: [DISK_ARGUMENT, STATE_PATH_ARGUMENT],
  options: [{ flags: "--recursive", summary: "a directory with everything in it" }, DEPLOYMENT_OPTION],
  examples: ["sealroot install edit remove disk.img /etc/machine-id"],
  reportsJson: true,
  async run(invocation) {
    await runEdit(invocation, {
      type: "remove",
      path: invocation.argument("PATH"),
      recursive: invocation.flag("recursive"),
    });
  },
});
