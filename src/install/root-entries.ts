/** The physical root of a new system as one list (spec/host.md 1.2). */
import { byteStringOfText } from "../bytes/index.ts";
import { imagePathOf, REPOSITORY_PATH, type StateXattrs } from "../deployment/index.ts";
import { type DiskEntry, treeEntries } from "../disk/index.ts";
import type { StagedEntry } from "../repository/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import { type DirectoryNode, type FileContent, type Metadata, newDirectory, newMetadata } from "../tree/index.ts";
import { labelEntries } from "./label-entries.ts";

export interface RootEntriesOptions {
  /** The content of the repository that was staged on the building host. */
  readonly repositoryEntries: Iterable<StagedEntry>;
  /** The tree that becomes `/state`. */
  readonly state: DirectoryNode;
  /** Attributes of the state's files besides the tree's. */
  readonly stateXattrs: StateXattrs;
  /** The host's file that holds a content of `state`. */
  readonly sourceOf: (content: FileContent) => string;
  /** Time of everything that does not come from the image, seconds since 1970. */
  readonly epochSeconds: number;
  /** The image's SELinux policy, if it has one. */
  readonly policy: SelinuxPolicy | undefined;
}

/**
 * The physical root and all names in it, parents first: empty `/boot/efi`, the repository, bootc's storage folder with the
 * compatibility link to it, `/state`.
 */
export function rootEntries(options: RootEntriesOptions): DiskEntry[] {
  const metadata = (mode: number): Metadata => newMetadata({ mode, mtimeSeconds: BigInt(options.epochSeconds) });
  const directory = (path: string, mode = 0o755): DiskEntry => ({
    kind: "directory",
    path: byteStringOfText(path),
    metadata: metadata(mode),
  });
  const state = newDirectory();
  state.entries.set(byteStringOfText("state"), { ...options.state, metadata: metadata(0o755) });
  const entries: DiskEntry[] = [
    directory(""),
    directory("boot"),
    directory("boot/efi"),
    // Objects may be readable by file mode; only root can reach them (spec/repository.md 1).
    directory(REPOSITORY_PATH, 0o700),
    directory(`${REPOSITORY_PATH}/bootc`),
    ...Array.from(options.repositoryEntries, (entry) => repositoryEntry(entry, metadata)),
    directory("ostree"),
    {
      kind: "symlink",
      path: byteStringOfText("ostree/bootc"),
      metadata: metadata(0o777),
      target: byteStringOfText(`../${REPOSITORY_PATH}/bootc`),
    },
    ...treeEntries(state, options.sourceOf).map((entry) => withXattrs(entry, options.stateXattrs)),
  ];
  if (options.policy !== undefined) labelEntries(entries, options.policy);
  return entries;
}

function withXattrs(entry: DiskEntry, stateXattrs: StateXattrs): DiskEntry {
  const more = stateXattrs.get(imagePathOf(entry.path));
  if (more === undefined || entry.kind === "hard-link") return entry;
  return { ...entry, metadata: { ...entry.metadata, xattrs: new Map([...entry.metadata.xattrs, ...more]) } };
}

function repositoryEntry(entry: StagedEntry, metadata: (mode: number) => Metadata): DiskEntry {
  const named = { path: byteStringOfText(`${REPOSITORY_PATH}/${entry.path}`), metadata: metadata(entry.mode) };
  if (entry.kind === "directory") return { ...named, kind: "directory" };
  if (entry.kind === "symlink") return { ...named, kind: "symlink", target: entry.target };
  return { ...named, kind: "file", source: entry.source, veritySizeBytes: entry.sizeBytes };
}
