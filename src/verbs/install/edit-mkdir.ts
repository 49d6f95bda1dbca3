/** `sealroot install edit mkdir DISK PATH`. */
import { command } from "../shared/command.ts";
import {
  CHANGE_TEXT,
  DEPLOYMENT_OPTION,
  DISK_ARGUMENT,
  NEW_FILE_OPTIONS,
  newAttributes,
  runEdit,
  STATE_PATH_ARGUMENT,
  WHERE_TEXT,
} from "../shared/edit-options.ts";

export const installEditMkdir = command({
  description: `Makes a directory in /etc or /var of the deployment that boots from DISK, and those above it that are missing. One that
exists stays as it is.

${WHERE_TEXT}

${CHANGE_TEXT}`,
  arguments: [DISK_ARGUMENT, STATE_PATH_ARGUMENT],
  options: [...NEW_FILE_OPTIONS, DEPLOYMENT_OPTION],
  examples: ["sealroot install edit mkdir disk.img /var/lib/app --mode 700 --owner app:app"],
  reportsJson: true,
  async run(invocation) {
    await runEdit(invocation, { type: "mkdir", path: invocation.argument("PATH"), ...newAttributes(invocation) });
  },
});
