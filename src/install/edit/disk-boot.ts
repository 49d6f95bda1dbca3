/** The boot files of a disk that is read without being mounted. */
import type { BootFiles } from "../../bootloader/index.ts";
import { byteStringOfText, displayText } from "../../bytes/index.ts";
import { isDeploymentId } from "../../deployment/index.ts";
import type { Ext4Tree, FatReader, InstalledDiskParts } from "../../disk/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { OfflineBoot } from "../choose-deployment.ts";

/** What boots from the disk, and the deployments on it. */
export function offlineBoot({ esp, root }: InstalledDiskParts): OfflineBoot {
  const deploy = root.find(byteStringOfText("state/deploy"));
  const names = deploy?.kind === "directory" ? [...root.names(deploy).keys()].map(displayText) : [];
  return {
    esp: esp && fatFiles(esp),
    boot: ext4Files(root, "boot"),
    deploymentIds: names.filter(isDeploymentId).sort(),
  };
}

function fatFiles(esp: FatReader): BootFiles {
  return {
    list: (path) => (esp.list(path.split("/")) ?? []).filter((entry) => !entry.isDirectory).map(({ name }) => name),
    read: (path, limitBytes) => esp.read(path.split("/"), limitBytes),
  };
}

function ext4Files(root: Ext4Tree, folder: string): BootFiles {
  const find = (path: string) => root.find(byteStringOfText(`${folder}/${path}`));
  return {
    list(path) {
      const file = find(path);
      return file?.kind === "directory" ? [...root.names(file).keys()].map(displayText).sort() : [];
    },
    read(path, limitBytes) {
      const file = find(path);
      if (file === undefined || file.kind === "file") return file && root.reader.bytes(file, limitBytes);
      throw new SealrootError("unsupported", `Cannot read /${folder}/${path} on the disk: it is not a regular file`);
    },
  };
}
