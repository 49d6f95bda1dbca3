/**
 * Whether an image can be installed, checked while it is sealed: what is copied to its hosts must fit on their disks.
 */
import { type ByteString, byteStringOfText } from "../bytes/index.ts";
import { stateXattrs } from "../deployment/index.ts";
import { type DiskEntry, EXT4, treeEntries } from "../disk/index.ts";
import { type DirectoryNode, newDirectory } from "../tree/index.ts";

const STATE_FOLDERS = ["etc", "var"].map(byteStringOfText);
/** The order of names in large directories does not matter here. */
const ANY_HASH_SEED = "00000000-0000-0000-0000-000000000000";

/**
 * Plans `/etc` and `/var` as `install` does.
 *
 * @param image all layers merged, before any transform
 * @throws SealrootError `unsupported` naming the file that no disk can hold
 */
export function checkState(image: DirectoryNode): void {
  const state = newDirectory();
  for (const name of STATE_FOLDERS) {
    const folder = image.entries.get(name);
    if (folder?.kind === "directory") state.entries.set(name, folder);
  }
  const xattrs = stateXattrs(state);
  const nameOf = (path: ByteString) => `/${path}` as ByteString;
  const root: DiskEntry = { kind: "directory", path: "" as ByteString, metadata: state.metadata };
  const entries = treeEntries(state, () => "").map((entry): DiskEntry => {
    if (entry.kind === "hard-link") return entry;
    return { ...entry, metadata: { ...entry.metadata, xattrs: xattrs.get(nameOf(entry.path)) ?? new Map() } };
  });
  EXT4.plan([root, ...entries], { hashSeed: ANY_HASH_SEED, sizeOf: () => 0, nameOf });
}
