/** The state of a first deployment: its `/etc`, the shared `/var`, its origin file (spec/host.md 1.2). */
import { byteStringOfText } from "../bytes/index.ts";
import {
  type DirectoryNode,
  lookupPath,
  type Metadata,
  newDirectory,
  newMetadata,
  type TreeNode,
} from "../tree/index.ts";
import { formatOrigin, type Origin } from "./origin.ts";
import { VAR_LINK_TARGET } from "./paths.ts";

export interface InitialStateOptions {
  /** The tree of the bootable image: what a mount of it would show. */
  readonly image: DirectoryNode;
  readonly deploymentId: string;
  readonly origin: Origin;
  /** Time of what does not come from the image, seconds since 1970. */
  readonly epochSeconds: number;
}

/** Its absence makes the units of ConditionNeedsUpdate=/etc run at first boot (systemd.unit(5)). */
const UPDATED_STAMP = byteStringOfText(".updated");

/**
 * The tree that becomes `/state`. Nodes of the image's `/etc` and `/var` are shared, with their owners, modes, xattrs
 * and times, except for the directory `/etc` itself, which loses its `.updated` stamp.
 */
export function initialState(options: InitialStateOptions): DirectoryNode {
  const metadata = (mode: number): Metadata =>
    newMetadata({ mode, mtimeSeconds: BigInt(Math.floor(options.epochSeconds)) });
  const directory = (entries: Record<string, TreeNode>): DirectoryNode => {
    const node = newDirectory(metadata(0o755));
    for (const [name, child] of Object.entries(entries)) node.entries.set(byteStringOfText(name), child);
    return node;
  };
  const etc = imageDirectory(options.image, "/etc", metadata(0o755));
  const deployment = directory({
    etc: { ...etc, entries: new Map([...etc.entries].filter(([name]) => name !== UPDATED_STAMP)) },
    var: { kind: "symlink", metadata: metadata(0o777), target: byteStringOfText(VAR_LINK_TARGET) },
    [`${options.deploymentId}.origin`]: {
      kind: "file",
      metadata: metadata(0o644),
      content: { type: "inline", bytes: Buffer.from(formatOrigin(options.origin), "utf8") },
    },
  });
  return directory({
    deploy: directory({ [options.deploymentId]: deployment }),
    os: directory({ default: directory({ var: imageDirectory(options.image, "/var", metadata(0o755)) }) }),
  });
}

function imageDirectory(image: DirectoryNode, path: string, metadata: Metadata): DirectoryNode {
  const node = lookupPath(image, byteStringOfText(path));
  return node?.kind === "directory" ? node : newDirectory(metadata);
}
