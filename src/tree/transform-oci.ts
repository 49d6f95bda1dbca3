/** What is done to a merged tree before it becomes an image (spec/oci.md 4, transform_for_oci). */
import type { ByteString } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { copyMetadata, keepXattrs } from "./create.ts";
import type { DirectoryNode, Metadata } from "./node.ts";
import { subdirectory } from "./path.ts";
import { allDirectories } from "./walk.ts";

export interface OciTransformOptions {
  /** Keep `user.*` besides `security.capability`; such image ids carry the suffix `.xattrs=keep-user-xattrs`. */
  readonly keepUserXattrs?: boolean;
}

const USR = "usr" as ByteString;
const RUN = "run" as ByteString;

/**
 * Changes the tree in place: the root takes the metadata of `/usr`, `/run` is emptied and takes the time of `/usr`, and
 * all xattrs except `security.capability` are removed, since the others depend on the machine that made them.
 *
 * @throws SealrootError `unsupported` when `/usr` is not a directory, or `/run` is something else
 */
export function transformForOci(root: DirectoryNode, options: OciTransformOptions = {}): void {
  const usr = requiredDirectory(root, USR);
  Object.assign(root.metadata, copyMetadata(usr.metadata));
  if (root.entries.has(RUN)) {
    const run = requiredDirectory(root, RUN);
    run.entries.clear();
    run.metadata.mtimeSeconds = usr.metadata.mtimeSeconds;
    run.metadata.mtimeNanoseconds = usr.metadata.mtimeNanoseconds;
  }
  const keepUser = options.keepUserXattrs ?? false;
  for (const directory of allDirectories(root)) {
    filterXattrs(directory.metadata, keepUser);
    for (const child of directory.entries.values()) {
      if (child.kind !== "directory") filterXattrs(child.metadata, keepUser);
    }
  }
}

/** An entry of the root that an image must have. */
export function requiredDirectory(root: DirectoryNode, name: ByteString): DirectoryNode {
  try {
    return subdirectory(root, name);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw new SealrootError("unsupported", `Cannot make the root file system: ${error.message}`, {
      path: `/${name}`,
      hint: "a bootable image has the directories /usr, /boot and /sysroot",
    });
  }
}

function filterXattrs(metadata: Metadata, keepUser: boolean): void {
  keepXattrs(metadata, (name) => name === "security.capability" || (keepUser && name.startsWith("user.")));
}
