/** The tree that an image id was computed of, if it can be had from the tree that it does not fit. */

import type { ByteString } from "../bytes/index.ts";
import { displayText } from "../bytes/index.ts";
import { compositionOf } from "../compare/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { describeBootImage } from "../imagestore/index.ts";
import { type ErofsVersion, imageIdOfTree } from "../repository/index.ts";
import {
  type BootRule,
  cloneTree,
  composePlainTree,
  type DirectoryNode,
  lookupPath,
  makeBootableBothWays,
  parseDump,
} from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { HYPOTHESES } from "./hypotheses.ts";
import type { NamedImage, SourceTree } from "./source.ts";

/** A tree that has one of the ids. */
export interface FoundTree {
  readonly id: string;
  readonly rule: BootRule;
  readonly version: ErofsVersion;
  /** Composed by that rule. */
  readonly root: DirectoryNode;
  /** What it is, in words. */
  readonly what: string;
}

/** Layers that are taken away, one after the other: an image is seldom changed by more than a few. */
const LAYERS_TRIED_MAX = 8;
/** Dump files that builders put beside the UKI. */
const DUMPS_TRIED_MAX = 4;
const DUMP_MAX_BYTES = 1 << 28;

/** By which rule each id is made from a tree; the likely rules first. */
export function rulesOf(
  names: readonly NamedImage[],
  tree: SourceTree,
  algorithm: VerityAlgorithm,
): ReadonlyMap<string, { readonly rule: BootRule; readonly version: ErofsVersion }> {
  const found = new Map<string, { rule: BootRule; version: ErofsVersion }>();
  if (tree.composition.stage !== "raw") {
    const { composition } = tree;
    for (const version of [1, 2, 0] as const) {
      const id = tree.image?.version === version ? tree.image.id : imageIdOfTree(tree.root, algorithm, version);
      const bootTimes = composition.stage === "boot" ? composition.bootTimes : "full";
      const rule = { keepUserXattrs: composition.keepUserXattrs, bootTimes } as const;
      if (names.some((name) => name.id === id)) found.set(id, { rule, version });
    }
    return found;
  }
  for (const made of bootImagesOf(tree.root, tree, algorithm, [false, true])) {
    if (names.some(({ id }) => id === made.id) && !found.has(made.id)) found.set(made.id, made);
    if (names.every(({ id }) => found.has(id))) break;
  }
  return found;
}

interface MadeImage {
  readonly id: string;
  readonly rule: BootRule;
  readonly version: 1 | 2;
  /** Until the next is asked for. */
  readonly root: DirectoryNode;
}

/** Every boot image of a raw tree, which stays as it is. */
function* bootImagesOf(
  raw: DirectoryNode,
  { readContent }: SourceTree,
  algorithm: VerityAlgorithm,
  xattrModes: readonly boolean[],
): Generator<MadeImage, void, undefined> {
  for (const keepUserXattrs of xattrModes) {
    const root = cloneTree(raw);
    composePlainTree(root, keepUserXattrs);
    for (const bootTimes of makeBootableBothWays(root, readContent)) {
      for (const version of bootTimes === "full" ? ([1, 2] as const) : ([1] as const)) {
        yield { id: imageIdOfTree(root, algorithm, version), rule: { keepUserXattrs, bootTimes }, version, root };
      }
    }
  }
}

/**
 * Looks for a tree that has one of the ids: the image without its last layers, the tree with something undone that is
 * often done to it, and the dump files that builders leave beside the UKI.
 *
 * @param tree raw; it stays as it is
 */
export async function findNamedTree(
  names: readonly NamedImage[],
  tree: SourceTree,
  algorithm: VerityAlgorithm,
  events: EventSink,
): Promise<FoundTree | undefined> {
  return await runStep(events, "look for the tree of the digest", async () => {
    return (
      (await withoutLayers(names, tree, algorithm)) ??
      withChangeUndone(names, tree, algorithm) ??
      inDumpFile(names, tree, algorithm)
    );
  });
}

async function withoutLayers(
  names: readonly NamedImage[],
  tree: SourceTree,
  algorithm: VerityAlgorithm,
): Promise<FoundTree | undefined> {
  const { layers } = tree;
  if (layers === undefined) return undefined;
  for (let count = layers.count - 1; count > 0 && layers.count - count <= LAYERS_TRIED_MAX; count--) {
    const what = `the image without ${layers.count - count === 1 ? "its last layer" : `its last ${layers.count - count} layers`}`;
    const found = oneOf(names, await layers.lower(count), tree, algorithm, `${what}, ${layers.describe(count)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function withChangeUndone(
  names: readonly NamedImage[],
  tree: SourceTree,
  algorithm: VerityAlgorithm,
): FoundTree | undefined {
  for (const { title, undo } of HYPOTHESES) {
    const changed = cloneTree(tree.root);
    if (!undo(changed)) continue;
    const found = oneOf(names, changed, tree, algorithm, `the other side ${title}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function oneOf(
  names: readonly NamedImage[],
  raw: DirectoryNode,
  tree: SourceTree,
  algorithm: VerityAlgorithm,
  what: string,
): FoundTree | undefined {
  try {
    for (const { id, rule, version, root } of bootImagesOf(raw, tree, algorithm, [false])) {
      if (names.some((name) => name.id === id)) return { id, rule, version, root, what };
    }
    return undefined;
  } catch (error) {
    // Lower layers alone may lack /usr.
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

/** `bootc container ukify --write-dumpfile-to`, and the build of upstream's sealed images, leave it in /boot (host-build.md 2). */
function inDumpFile(
  names: readonly NamedImage[],
  { root, readContent }: SourceTree,
  algorithm: VerityAlgorithm,
): FoundTree | undefined {
  const boot = lookupPath(root, "/boot" as ByteString);
  if (boot?.kind !== "directory") return undefined;
  const dumps = [...boot.entries].filter(([name, node]) => name.endsWith(".dump") && node.kind === "file");
  for (const [name, node] of dumps.slice(0, DUMPS_TRIED_MAX)) {
    if (node.kind !== "file" || (node.content.type === "external" && node.content.sizeBytes > DUMP_MAX_BYTES)) continue;
    const path = `/boot/${name}` as ByteString;
    const dumped = readDump(() => readContent(node.content, path));
    const composition = dumped && compositionOf(dumped);
    if (dumped === undefined || composition?.stage !== "boot") continue;
    for (const version of [1, 2] as const) {
      const id = imageIdOfTree(dumped, algorithm, version);
      if (!names.some((each) => each.id === id)) continue;
      return { id, rule: composition, version, root: dumped, what: `the tree of ${displayText(path)}` };
    }
  }
  return undefined;
}

/** Something else may be called so. */
function readDump(read: () => Uint8Array): DirectoryNode | undefined {
  try {
    return parseDump(read(), { allowNegativeTimes: true });
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

/** A rule in words. */
export function ruleText(rule: BootRule, version: ErofsVersion): string {
  return describeBootImage({ ...rule, version });
}
