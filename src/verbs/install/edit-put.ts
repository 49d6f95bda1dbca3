/** `sealroot install edit put DISK PATH FILE…`. */
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

export const installEditPut = command({
  description: `Puts files of this machine into /etc or /var of the deployment that boots from DISK. One FILE becomes PATH; it goes
into PATH when that is a directory or ends with a slash, as several do. A directory is put with everything in it, and
added to one that exists. Directories that are missing are made.

A file that is replaced hands on its mode, owner, SELinux label and attributes. A new one belongs to root and has the
label that the deployment's own policy has for it; neither user nor umask of this machine count.

${WHERE_TEXT}

${CHANGE_TEXT}`,
  arguments: [
    DISK_ARGUMENT,
    STATE_PATH_ARGUMENT,
    { name: "FILE", summary: "file or directory of this machine", repeat: true },
  ],
  options: [...NEW_FILE_OPTIONS, DEPLOYMENT_OPTION],
  examples: [
    "sealroot install edit put disk.img /etc/hostname hostname",
    "sealroot install edit put disk.img /etc/systemd/system/ *.service",
    "sealroot install edit put disk.img /var/lib/app/key key --mode 600 --owner app:app",
  ],
  reportsJson: true,
  async run(invocation) {
    await runEdit(invocation, {
      type: "put",
      path: invocation.argument("PATH"),
      sources: invocation.arguments("FILE"),
      ...newAttributes(invocation),
    });
  },
});
