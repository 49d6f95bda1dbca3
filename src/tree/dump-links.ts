/** The hard links of a dump file: additional names that may come before the inode they name (spec/erofs.md 4). */
import { type ByteString, displayText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { newMetadata } from "./create.ts";
import { atLine, parseDumpPath } from "./dump-fields.ts";
import type { DirectoryNode, LeafNode, StatedFacts } from "./node.ts";
import { quotePath } from "./path.ts";

/** One `@` line. */
export interface DumpLink {
  readonly parent: DirectoryNode;
  readonly name: ByteString;
  readonly path: ByteString;
  readonly target: ByteString | undefined;
  readonly lineNumber: number;
}

/** Placeholder for an unknown inode; never leaves this room. */
const PLACEHOLDER: LeafNode = { kind: "fifo", metadata: newMetadata() };

export class HardLinkResolver {
  readonly #directories: ReadonlyMap<string, DirectoryNode>;
  readonly #allowForward: boolean;
  readonly #deferred = new Map<ByteString, DumpLink>();
  readonly #primaryNames = new Map<LeafNode, { parent: DirectoryNode; name: ByteString }>();
  readonly #statedCounts = new Map<LeafNode, number>();
  readonly #linkedCounts = new Map<LeafNode, number>();

  /** @param directories by path, the root's empty; still growing */
  constructor(directories: ReadonlyMap<string, DirectoryNode>, allowForward: boolean) {
    this.#directories = directories;
    this.#allowForward = allowForward;
  }

  /** Remembers an NLINK field other than 1. */
  stateLinkCount(leaf: LeafNode, linkCount: number): void {
    this.#statedCounts.set(leaf, linkCount);
  }

  /** Adds the link to its directory: at once if the target is there, otherwise on {@link finish}. */
  add(link: DumpLink): void {
    if (link.target === undefined) throw corrupt("a hard link without a target");
    if (link.target === link.path) throw corrupt("a hard link to itself");
    if (this.#tryLink(link, link.target)) return;
    if (!this.#allowForward) throw missingTarget(link.target);
    link.parent.entries.set(link.name, PLACEHOLDER);
    this.#deferred.set(link.path, link);
  }

  /** Resolves links that came before their target and notes where the dump differs from the tree. */
  finish(): void {
    for (const link of this.#deferred.values()) atLine(link.lineNumber, () => this.#resolveChain(link));
    for (const leaf of new Set([...this.#statedCounts.keys(), ...this.#linkedCounts.keys()])) this.#noteFacts(leaf);
  }

  /** Follows links to links down to an inode, then links the whole chain, last one first. */
  #resolveChain(link: DumpLink): void {
    const chain: DumpLink[] = [];
    for (let next: DumpLink | undefined = link; next !== undefined; next = this.#deferred.get(targetOf(next))) {
      if (next.parent.entries.get(next.name) !== PLACEHOLDER) break;
      if (chain.length > this.#deferred.size) throw corrupt("hard links that name each other");
      chain.push(next);
    }
    for (const each of chain.toReversed()) {
      if (!this.#tryLink(each, targetOf(each))) throw missingTarget(targetOf(each));
    }
  }

  #tryLink(link: DumpLink, target: ByteString): boolean {
    const name = parseDumpPath(target).at(-1);
    if (name === undefined) throw corrupt("a hard link to the root");
    const parent = this.#directories.get(target.slice(0, target.length - name.length - 1));
    const leaf = parent?.entries.get(name);
    if (parent === undefined || leaf === undefined || leaf === PLACEHOLDER) return false;
    if (leaf.kind === "directory") throw corrupt(`hard link target ${quotePath(target)} is a directory`);
    if (leaf.kind === "character-device" && leaf.rdev === 0) throw corrupt("a hard link to a whiteout");
    if (!this.#primaryNames.has(leaf)) this.#primaryNames.set(leaf, { parent, name });
    this.#linkedCounts.set(leaf, (this.#linkedCounts.get(leaf) ?? 1) + 1);
    link.parent.entries.set(link.name, leaf);
    return true;
  }

  #noteFacts(leaf: LeafNode): void {
    const stated = this.#statedCounts.get(leaf) ?? 1;
    const primaryName = this.#primaryNames.get(leaf);
    const facts: StatedFacts = {
      ...leaf.stated,
      ...(stated === (this.#linkedCounts.get(leaf) ?? 1) ? {} : { linkCount: stated }),
      ...(primaryName === undefined ? {} : { primaryName }),
    };
    if (Object.keys(facts).length > 0) leaf.stated = facts;
  }
}

function targetOf(link: DumpLink): ByteString {
  return link.target ?? ("" as ByteString);
}

function missingTarget(target: ByteString): Error {
  return corrupt(`hard link target ${JSON.stringify(displayText(target))} is not in the file`);
}
