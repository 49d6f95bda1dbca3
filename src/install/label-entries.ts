/** SELinux labels of the physical root, from the image's own policy (spec/host-install.md 8.12). */
import type { ByteString } from "../bytes/index.ts";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import type { DiskEntry } from "../disk/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import { LABEL_XATTR } from "../tree/index.ts";

/** The repository is labelled as if it were here, so that confined programs may read what comes from it (`usr_t`). */
const REPOSITORY_ALIAS = "/usr" as ByteString;

/**
 * Labels every entry that has no label yet, in place. What was copied from the image keeps its label.
 *
 * @param entries parents first, from `rootEntries`
 */
export function labelEntries(entries: readonly DiskEntry[], policy: SelinuxPolicy): void {
  const policyPaths = new Map<string, ByteString>();
  for (const entry of entries) {
    const path = policyPath(entry.path, policy, policyPaths);
    if (entry.kind === "hard-link" || entry.metadata.xattrs.has(LABEL_XATTR)) continue;
    const label = policy.labelOf(path, entry.kind);
    if (label !== undefined) entry.metadata.xattrs = new Map(entry.metadata.xattrs).set(LABEL_XATTR, label);
  }
}

/** The path that rules are tried against; the policy's aliases apply to everything below them. */
export function policyPath(path: ByteString, policy: SelinuxPolicy, known: Map<string, ByteString>): ByteString {
  const found = known.get(path);
  if (found !== undefined) return found;
  const result = path === REPOSITORY_PATH ? REPOSITORY_ALIAS : policy.substitute(plainPath(path, policy, known));
  known.set(path, result);
  return result;
}

function plainPath(path: ByteString, policy: SelinuxPolicy, known: Map<string, ByteString>): ByteString {
  if (path === "") return "/" as ByteString;
  const slash = path.lastIndexOf("/");
  if (slash < 0) return `/${path}` as ByteString;
  const parent = policyPath(path.slice(0, slash) as ByteString, policy, known);
  return `${parent}/${path.slice(slash + 1)}` as ByteString;
}
