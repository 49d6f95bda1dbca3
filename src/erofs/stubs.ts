/** The 256 entries `00`..`ff` that an epoch 1 root gets (spec/erofs.md 3.4 step 5, 7). */
import { type ByteString, toHex } from "../bytes/index.ts";
import { type DeviceNode, type DirectoryNode, LABEL_XATTR, type Metadata, newMetadata } from "../tree/index.ts";
import { STUB_NAMES } from "./format.ts";

const STUB_MODE = 0o644;
const STUB_NAME_SET: ReadonlySet<string> = new Set(STUB_NAMES);

/** The stubs for the names that the root does not have. All share one metadata object. */
export function missingStubs(root: DirectoryNode): Map<ByteString, DeviceNode> {
  const stubs = new Map<ByteString, DeviceNode>();
  const metadata = stubMetadata(root.metadata);
  for (const name of STUB_NAMES as readonly ByteString[]) {
    if (!root.entries.has(name)) stubs.set(name, { kind: "character-device", metadata, rdev: 0 });
  }
  return stubs;
}

function stubMetadata(root: Metadata): Metadata {
  const label = root.xattrs.get(LABEL_XATTR);
  const xattrs = label === undefined ? [] : ([[LABEL_XATTR, label]] as const);
  return newMetadata({ ...root, mode: STUB_MODE, xattrs: new Map(xattrs) });
}

/**
 * Whether composefs-rs mistakes this user whiteout, an entry of the root, for a stub and leaves it a device
 * (spec/erofs.md 3.4, "RS corner").
 */
export function looksLikeStub(root: Metadata, name: ByteString, whiteout: DeviceNode): boolean {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs } = whiteout.metadata;
  if (!STUB_NAME_SET.has(name) || mode !== STUB_MODE || uid !== root.uid || gid !== root.gid) return false;
  if (mtimeSeconds !== root.mtimeSeconds || mtimeNanoseconds !== root.mtimeNanoseconds) return false;
  const label = root.xattrs.get(LABEL_XATTR);
  if (label === undefined) return xattrs.size === 0;
  const own = xattrs.get(LABEL_XATTR);
  return xattrs.size === 1 && own !== undefined && toHex(own) === toHex(label);
}
