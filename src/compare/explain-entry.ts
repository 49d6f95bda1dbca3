/** Why a path is on one side only. */
import type { ByteString } from "../bytes/index.ts";
import type { TreeNode } from "../tree/index.ts";
import type { Difference } from "./difference.ts";
import { type ExplainContext, type Explanation, isOverlayWhiteout, nodeAt } from "./explain-context.ts";
import type { NameTwins } from "./name-twins.ts";
import type { SideFacts } from "./side-facts.ts";
import { quoted } from "./values.ts";

/** Files that builders mount over an image while a command runs; what stays behind is empty (host-build.md, lint `buildah-injected`). */
const BUILDER_FILES: ReadonlySet<string> = new Set([
  "/.dockerenv",
  "/etc/hostname",
  "/etc/hosts",
  "/etc/mtab",
  "/etc/resolv.conf",
  "/run/.containerenv",
]);
const KERNEL_FILE = /^\/usr\/lib\/modules\/[^/]+\/(?:vmlinuz|initramfs\.img|\.vmlinuz\.hmac|[^/]+\.efi)$/;

export function explainEntry(difference: Difference, context: ExplainContext): Explanation {
  const { path, nodes } = difference;
  const [own, other] = nodes.a === undefined ? [context.b, context.a] : [context.a, context.b];
  const node = (nodes.a ?? nodes.b) as TreeNode;
  const name = path.slice(path.lastIndexOf("/") + 1) as ByteString;
  if (name.startsWith(".wh.")) return { rule: "whiteout-file" };
  if (isOverlayWhiteout(node)) return { rule: "whiteout-overlay" };
  const removal = removalOf(path, other);
  if (KERNEL_FILE.test(path)) return { rule: "kernel-in-modules", ...removal };
  if (removal !== undefined) return { rule: own.isUnpacked ? "whiteout-not-applied" : "entry", ...removal };
  if (node.kind === "socket") return { rule: "socket" };
  if (isOtherEtc(path, other)) return { rule: "usr-etc" };
  const twin = twinOf(path, name, { own, other, twins: context.twins });
  if (twin !== undefined) return { rule: "name-bytes", because: `${other.label} has ${quoted(twin)} there` };
  if (BUILDER_FILES.has(path) && isEmpty(node)) return { rule: "builder-file" };
  return { rule: "entry" };
}

/** The layer of the other side that removed it. */
function removalOf(path: ByteString, { label, history }: SideFacts): { readonly because: string } | undefined {
  const layer = history?.removedBy(path);
  if (history === undefined || layer === undefined) return undefined;
  return { because: `${label}: ${history.describe(layer)} removes it` };
}

function isEmpty(node: TreeNode): boolean {
  return node.kind !== "file" || (node.content.type === "inline" && node.content.bytes.length === 0);
}

/** Whether the other side has it in the other of the two places. */
function isOtherEtc(path: ByteString, other: SideFacts): boolean {
  const below = /^(\/usr)?\/etc(\/.*)?$/s.exec(path);
  if (below === null) return false;
  const [, usr, rest = ""] = below;
  return nodeAt(other, `${usr === undefined ? "/usr" : ""}/etc${rest}`) !== undefined;
}

/** A name that only the other side has in this directory, and that a tool may have made of this one or the other way. */
function twinOf(
  path: ByteString,
  name: ByteString,
  { own, other, twins }: { own: SideFacts; other: SideFacts; twins: NameTwins },
): ByteString | undefined {
  const parent = path.slice(0, path.length - name.length);
  const [here, there] = [nodeAt(own, parent), nodeAt(other, parent)];
  if (here?.kind !== "directory" || there?.kind !== "directory") return undefined;
  return twins.find(name, here, there);
}
