/** The state of a first deployment: its `/etc`, the shared `/var`, its origin file (spec/host.md 1.2). */
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import {
  type DirectoryNode,
  lookupPath,
  type Metadata,
  newDirectory,
  newMetadata,
  subdirectory,
  type TreeNode,
} from "../tree/index.ts";
import { withoutUpdatedStamp } from "./etc-tree.ts";
import { formatOrigin } from "./origin.ts";
import { originPath, SHARED_VAR, stateDirectory, VAR_LINK_TARGET } from "./paths.ts";
import type { DeploymentRecord } from "./record.ts";

export interface InitialStateOptions {
  /** The tree of the bootable image: what a mount of it would show. */
  readonly image: DirectoryNode;
  readonly record: DeploymentRecord;
  /** Time of what does not come from the image, seconds since 1970. */
  readonly epochSeconds: number;
}

/** All paths of a deployment's state are below it. */
const STATE = byteStringOfText("state");
/**
 * The tree that becomes `/state`. Nodes of the image's `/etc` and `/var` are shared, with their owners, modes, xattrs
 * and times, except for the directory `/etc` itself, which loses its `.updated` stamp.
 */
export function initialState(options: InitialStateOptions): DirectoryNode {
  const metadata = (mode: number): Metadata =>
    newMetadata({ mode, mtimeSeconds: BigInt(Math.floor(options.epochSeconds)) });
  const empty = (): DirectoryNode => newDirectory(metadata(0o755));
  const { deploymentId, origin } = options.record;
  const root = empty();
  const place = (path: string, node: TreeNode): void => {
    const names = path.split("/").map(byteStringOfText);
    let directory = root;
    for (const [index, name] of names.entries()) {
      if (index === names.length - 1) directory.entries.set(name, node);
      else directory = subdirectoryOr(directory, name, empty);
    }
  };
  const etc = imageDirectory(options.image, "/etc", metadata(0o755));
  place(`${stateDirectory(deploymentId)}/etc`, withoutUpdatedStamp(etc));
  place(`${stateDirectory(deploymentId)}/var`, {
    kind: "symlink",
    metadata: metadata(0o777),
    target: byteStringOfText(VAR_LINK_TARGET),
  });
  place(originPath(deploymentId), {
    kind: "file",
    metadata: metadata(0o644),
    content: { type: "inline", bytes: Buffer.from(formatOrigin(origin), "utf8") },
  });
  place(SHARED_VAR, imageDirectory(options.image, "/var", metadata(0o755)));
  return subdirectory(root, STATE);
}

/** The directory with this name, made if it does not exist. */
function subdirectoryOr(parent: DirectoryNode, name: ByteString, make: () => DirectoryNode): DirectoryNode {
  const found = parent.entries.get(name);
  if (found?.kind === "directory") return found;
  const made = make();
  parent.entries.set(name, made);
  return made;
}

function imageDirectory(image: DirectoryNode, path: string, metadata: Metadata): DirectoryNode {
  const node = lookupPath(image, byteStringOfText(path));
  return node?.kind === "directory" ? node : newDirectory(metadata);
}
