/** Which rule made a difference count, or keeps it from counting. */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, joinPath, LABEL_XATTR, type Metadata, type TreeNode } from "../tree/index.ts";
import { verityDigest } from "../verity/index.ts";
import type { Stage } from "./composition.ts";
import type { Difference } from "./difference.ts";
import { type ExplainContext, type Explanation, isOverlayWhiteout, withLayers } from "./explain-context.ts";
import { explainEntry } from "./explain-entry.ts";
import type { LayerHistory } from "./layer-history.ts";
import type { RuleName } from "./rules.ts";
import { OWN_INODE } from "./values.ts";

const EMPTIED_BY_STAGE: Readonly<Record<Stage, readonly string[]>> = {
  raw: [],
  plain: ["/run"],
  boot: ["/run", "/boot", "/sysroot"],
};

/** What other paths or fields made: no layer of their own did. */
const DERIVED: ReadonlySet<RuleName> = new Set(["root-from-usr", "emptied-directory-time", "selinux-policy"]);

/** Of a difference in the trees whose digests are compared. @param isDerived it is not in the trees as they were given */
export function explainCounted(difference: Difference, context: ExplainContext, isDerived: boolean): Explanation {
  const explanation = explain(difference, context, isDerived);
  if (isDerived || explanation.because !== undefined || DERIVED.has(explanation.rule)) return explanation;
  return withLayers(explanation, difference, context);
}

function explain(difference: Difference, context: ExplainContext, isDerived: boolean): Explanation {
  const { path, field, nodes } = difference;
  if (context.stage !== "raw" && path === "/") return { rule: "root-from-usr" };
  if (field === "mtime" && EMPTIED_BY_STAGE[context.stage].includes(path)) return { rule: "emptied-directory-time" };
  switch (field) {
    case "entry":
      return explainEntry(difference, context);
    case "mtime":
      return explainTime(difference, context);
    case "mode":
      return { rule: modeRule(difference) };
    case "uid":
    case "gid":
      return { rule: ownerRule(difference, context) };
    case "xattr":
      return { rule: xattrRule(difference.xattr ?? ("" as ByteString), context.stage) };
    case "content":
      return { rule: contentRule(difference, context) };
    case "hard-link":
      return { rule: isDerived ? "hard-link-labels" : linkRule(difference) };
    case "type":
      return { rule: [nodes.a, nodes.b].some(isOverlayWhiteout) ? "whiteout-overlay" : "type" };
    default:
      return { rule: field };
  }
}

/** Of a difference in the trees as they were given that is not in those whose digests are compared. */
export function explainUncounted(
  { path, field, xattr = "" as ByteString }: Omit<Difference, "nodes">,
  context: ExplainContext,
): Explanation {
  const { stage } = context;
  if (stage !== "raw" && path === "/") return { rule: "not-counted-root" };
  if (stage !== "raw" && path.startsWith("/run/")) return { rule: "not-counted-run" };
  if (stage === "boot" && /^\/(?:boot|sysroot)\//.test(path)) return { rule: "not-counted-boot" };
  if (field === "mtime" && EMPTIED_BY_STAGE[stage].includes(path)) return { rule: "not-counted-emptied" };
  if (field === "mtime") return { rule: "not-counted-nanoseconds" };
  if (xattr === LABEL_XATTR) return { rule: "not-counted-label" };
  return { rule: field === "hard-link" ? "not-counted-hard-link" : "not-counted-xattr" };
}

/** What ext4 with 256-byte inodes, file systems and tools with 32 bits can hold. */
const TIME_LIMITS = [-(2n ** 31n), 2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 34n - 2n ** 31n - 1n, 0n];

function explainTime({ path, nodes: { a, b } }: Difference, context: ExplainContext): Explanation {
  if (a === undefined || b === undefined) return { rule: "time" };
  if (hasOtherNames(path, a, b, context)) return { rule: "directory-time-changed" };
  for (const [node, facts] of [[a, context.a] as const, [b, context.b] as const]) {
    const change = facts.history?.changeOf(node);
    if (facts.history === undefined || change === undefined) continue;
    const what = `${facts.label}: ${facts.history.describe(change.layer)} has ${JSON.stringify(change.path)}`;
    const rule = change.how === "unlisted" ? "directory-time-unlisted" : "directory-time-returned";
    return { rule, because: what };
  }
  const [left, right] = [a.metadata, b.metadata];
  if (left.mtimeSeconds === right.mtimeSeconds && (left.mtimeNanoseconds === 0 || right.mtimeNanoseconds === 0)) {
    const facts = left.mtimeNanoseconds === 0 ? context.a : context.b;
    return {
      rule: "nanoseconds-dropped",
      because: `${facts.label} has whole seconds ${facts.totals.hasNanoseconds ? "here" : "everywhere"}`,
    };
  }
  if (isClamped(left, right) || isClamped(right, left)) return { rule: "time-clamped" };
  return { rule: "time" };
}

function isClamped(a: Metadata, b: Metadata): boolean {
  return TIME_LIMITS.some((limit) => {
    return b.mtimeSeconds === limit && (limit <= 0n ? a.mtimeSeconds < limit : a.mtimeSeconds > limit);
  });
}

/** Whether a name was added or removed. Whiteouts that were not applied are none: they are a layer's own doing. */
function hasOtherNames(path: ByteString, a: TreeNode, b: TreeNode, context: ExplainContext): boolean {
  if (a.kind !== "directory" || b.kind !== "directory") return false;
  const hasMore = (own: DirectoryNode, other: DirectoryNode, history: LayerHistory | undefined) =>
    [...own.entries.keys()].some(
      (name) =>
        !other.entries.has(name) && !name.startsWith(".wh.") && history?.removedBy(joinPath(path, name)) === undefined,
    );
  return hasMore(a, b, context.b.history) || hasMore(b, a, context.a.history);
}

const UMASKS = [0o002, 0o007, 0o022, 0o027, 0o037, 0o077];

function modeRule({ nodes: { a, b } }: Difference): RuleName {
  if (a === undefined || b === undefined) return "mode";
  if (a.kind === "symlink") return "mode-symlink";
  const [left, right] = [a.metadata.mode, b.metadata.mode];
  const lost = (bits: number) => (left & ~bits) === right || (right & ~bits) === left;
  if (UMASKS.some(lost)) return "mode-umask";
  return lost(0o6000) || lost(0o4000) || lost(0o2000) ? "mode-setid-lost" : "mode";
}

function ownerRule({ field }: Difference, { a, b }: ExplainContext): RuleName {
  const only = [a, b].map(({ totals }) => (field === "uid" ? totals.onlyUid : totals.onlyGid));
  const builders = only.filter((id) => id !== undefined && id !== 0);
  if (builders.length > 0) return builders.length === 1 ? "owner-builder" : "owner";
  return only.filter((id) => id === 0).length === 1 ? "owner-root" : "owner";
}

function xattrRule(name: ByteString, stage: Stage): RuleName {
  if (/^(?:trusted|user)\.overlay\./.test(name)) return "xattr-overlay";
  if (name === "security.capability") return "xattr-capability";
  if (stage === "raw") return "xattr";
  if (name === LABEL_XATTR) return "selinux-policy";
  return name.startsWith("user.") ? "xattr-user" : "xattr";
}

function contentRule({ nodes: { a, b } }: Difference, { algorithm }: ExplainContext): RuleName {
  if (a?.kind !== "file" || b?.kind !== "file") return "content";
  const [inline, external] = a.content.type === "inline" ? [a.content, b.content] : [b.content, a.content];
  if (inline.type !== "inline" || external.type !== "external" || inline.bytes.length === 0) return "content";
  return verityDigest(inline.bytes, algorithm) === external.objectId ? "content-inline" : "content";
}

function linkRule({ a, b, nodes }: Difference): RuleName {
  // With other names than on the other side.
  if (a !== OWN_INODE && b !== OWN_INODE) return "hard-link";
  return isCopy(nodes.a, nodes.b) ? "hard-link-copied" : "hard-link";
}

function isCopy(a: TreeNode | undefined, b: TreeNode | undefined): boolean {
  if (a?.kind !== "file" || b?.kind !== "file") return true;
  if (a.content.type === "inline") {
    return b.content.type === "inline" && Buffer.compare(a.content.bytes, b.content.bytes) === 0;
  }
  return b.content.type === "external" && a.content.objectId === b.content.objectId;
}
