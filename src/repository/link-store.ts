/**
 * The links `streams/…` and `images/…` to objects, and the named references below `refs/` (spec/repository.md 1, 5).
 */

import { randomBytes } from "node:crypto";
import { type Dirent, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { sortedEntries } from "../objects/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { idPrefixOf, onlyCandidate } from "./id-prefix.ts";
import {
  type LinkKind,
  objectIdOfLinkTarget,
  objectLinkTarget,
  referenceLinkTarget,
  requireEntryName,
  requireReferenceName,
} from "./names.ts";
import { makeOwnDirectory, requireOwnDirectory } from "./own-directory.ts";

/** A named reference: `refs/<name>` → entry of the same kind. */
interface Reference {
  readonly name: string;
  readonly entry: string;
}

/** A top-level link. */
export interface LinkEntry {
  readonly entry: string;
  readonly objectId: string;
}

/** What links need of their repository. */
interface LinkStoreContext {
  readonly path: string;
  readonly algorithm: VerityAlgorithm;
  assertWritable(): void;
  /** Makes everything written so far durable. */
  sync(): void;
  /** Makes the names in one directory durable. */
  syncDirectory(path: string): void;
}

/** Prefix of temporary links in the repository's root, as in the reference; gc collects leftovers. */
export const TEMPORARY_LINK_PREFIX = ".symlink-";

/** The links of one kind. */
export class LinkStore {
  readonly kind: LinkKind;
  readonly #context: LinkStoreContext;

  /** From {@link Repository}. */
  constructor(kind: LinkKind, context: LinkStoreContext) {
    this.kind = kind;
    this.#context = context;
  }

  /**
   * The object an entry links to, or undefined if there is no such entry.
   * @param entry a content id of a stream, or the hex digest of an image
   * @throws SealrootError `corrupt` when the entry is not a link to an object
   */
  find(entry: string): string | undefined {
    const target = this.#readLink(requireEntryName(entry));
    if (target === undefined) return undefined;
    const objectId = objectIdOfLinkTarget(target, this.#context.algorithm);
    if (objectId !== undefined) return objectId;
    throw new SealrootError("corrupt", `Cannot read ${this.kind}/${entry}: the link does not lead to an object`, {
      path: join(this.#context.path, this.kind, entry),
      actual: target,
    });
  }

  /**
   * The object of an entry or, with the prefix `refs/`, of a reference's target. Images may be given by a reference's
   * name without the prefix. Anything else may be the beginning of one id: {@link beginningWith}.
   *
   * @throws SealrootError `not-found`, `corrupt`; `usage` when several ids begin like that
   */
  resolve(name: string): LinkEntry {
    const found = this.named(name) ?? onlyCandidate(name, this.beginningWith(name));
    if (found !== undefined) return { entry: found.entry, objectId: found.objectId };
    throw new SealrootError("not-found", `Cannot find "${name}" among the ${this.kind} of the repository`, {
      path: join(this.#context.path, this.kind, name),
    });
  }

  /** The entry with exactly this name, or that of a reference; undefined if there is none. */
  named(name: string): LinkEntry | undefined {
    for (const entry of this.#candidates(name)) {
      const objectId = this.find(entry);
      if (objectId !== undefined) return { entry, objectId };
    }
    return undefined;
  }

  /**
   * The entries whose id begins with some digits: for images with or without a leading hash name (`sha512:3ac1`), for
   * streams with everything before the digits (`oci-layer-sha256:4bf5`). None for fewer than four digits.
   */
  beginningWith(text: string): (LinkEntry & { readonly shown: string })[] {
    const { algorithm } = this.#context;
    if (this.kind === "images") {
      const prefix = idPrefixOf(text, [algorithm]);
      const found = prefix === undefined ? [] : this.entries().filter(({ entry }) => entry.startsWith(prefix));
      return found.map((link) => ({ ...link, shown: `${algorithm}:${link.entry}` }));
    }
    const isPrefix = idPrefixOf(text.slice(text.lastIndexOf(":") + 1), []) !== undefined && text.includes(":");
    const found = isPrefix ? this.entries().filter(({ entry }) => entry.startsWith(text)) : [];
    return found.map((link) => ({ ...link, shown: link.entry }));
  }

  /**
   * Links entries to objects that are already stored. Everything written before is made durable first, so that after a
   * power cut a name is either absent or complete; the reference omits this for images (spec/repository.md 3.1). When
   * the call returns, the names are durable too.
   */
  register(entries: readonly LinkEntry[]): void {
    this.#context.assertWritable();
    for (const { entry } of entries) requireEntryName(entry);
    this.#context.sync();
    for (const { entry, objectId } of entries) this.#link(entry, objectLinkTarget(objectId));
    if (entries.length > 0) this.#context.syncDirectory(this.#path(""));
  }

  /** Creates or moves the reference `refs/<name>`, durably. The entry must exist. */
  setReference(name: string, entry: string): void {
    this.#context.assertWritable();
    requireReferenceName(name);
    if (this.find(entry) === undefined) {
      throw new SealrootError("not-found", `Cannot name ${this.kind}/${entry}: it is not in the repository`);
    }
    const relative = join("refs", name);
    this.#link(relative, referenceLinkTarget(name, entry));
    this.#context.syncDirectory(dirname(this.#path(relative)));
  }

  /** @returns false if there is no such reference */
  removeReference(name: string): boolean {
    this.#context.assertWritable();
    if (this.referenceTarget(name) === undefined) return false;
    requireOwnDirectory(this.#context.path, dirname(join(this.kind, "refs", name)));
    const path = this.#path(join("refs", name));
    rmSync(path);
    this.#context.syncDirectory(dirname(path));
    return true;
  }

  /** The entry a reference leads to (the last component of its target, as gc reads it), or undefined. */
  referenceTarget(name: string): string | undefined {
    const target = this.#readLink(join("refs", requireReferenceName(name)));
    return target === undefined ? undefined : entryOfTarget(target);
  }

  /** All references below a prefix ("" or "oci"), sorted; only links. */
  references(prefix = ""): Reference[] {
    const found: Reference[] = [];
    collectReferences(Buffer.from(this.#path(join("refs", prefix))), prefix, found);
    return found;
  }

  /** All well-formed entries, sorted. */
  entries(): LinkEntry[] {
    return sortedEntries(this.#path("")).flatMap((link) => {
      const target = link.isSymbolicLink() ? this.#readLink(link.name) : undefined;
      const objectId = target === undefined ? undefined : objectIdOfLinkTarget(target, this.#context.algorithm);
      return objectId === undefined ? [] : [{ entry: link.name, objectId }];
    });
  }

  #candidates(name: string): string[] {
    if (name.startsWith("refs/")) return optional(this.referenceTarget(name.slice("refs/".length)));
    if (this.kind === "streams") return [name];
    return [...(name.includes("/") ? [] : [name]), ...optional(this.referenceTarget(name))];
  }

  #path(relative: string): string {
    return join(this.#context.path, this.kind, relative);
  }

  #readLink(relative: string): string | undefined {
    try {
      return readlinkSync(this.#path(relative));
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      if (hasErrno(error, "EINVAL")) {
        throw new SealrootError("corrupt", `Cannot read ${this.kind}/${relative}: it is not a symbolic link`, {
          path: this.#path(relative),
        });
      }
      throw asSealrootError(error, `Cannot read ${this.kind}/${relative}`, { path: this.#path(relative) });
    }
  }

  /** Creates the link; one with the same target stays, another is replaced in one step (spec/repository.md 5). */
  #link(relative: string, target: string): void {
    const path = this.#path(relative);
    try {
      makeOwnDirectory(this.#context.path, dirname(join(this.kind, relative)));
      try {
        symlinkSync(target, path);
      } catch (error) {
        if (!hasErrno(error, "EEXIST")) throw error;
        if (this.#readLink(relative) === target) return;
        const temporary = join(this.#context.path, `${TEMPORARY_LINK_PREFIX}${randomBytes(6).toString("hex")}`);
        symlinkSync(target, temporary);
        renameSync(temporary, path);
      }
    } catch (error) {
      throw asSealrootError(error, `Cannot create the link ${this.kind}/${relative}`, { path });
    }
  }
}

/**
 * Collects the references below a directory. Paths are bytes here: a reference whose name is not UTF-8 still protects
 * its target from collection; its name is then only for people.
 */
function collectReferences(directory: Buffer, prefix: string, found: Reference[]): void {
  for (const child of entriesByBytes(directory)) {
    const path = Buffer.concat([directory, Buffer.from("/"), child.name]);
    const name = prefix === "" ? child.name.toString() : `${prefix}/${child.name}`;
    if (child.isDirectory()) collectReferences(path, name, found);
    else if (child.isSymbolicLink()) found.push({ name, entry: entryOfTarget(readlinkSync(path)) });
  }
}

function entriesByBytes(directory: Buffer): Dirent<Buffer>[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true, encoding: "buffer" });
    return entries.sort((a, b) => Buffer.compare(a.name, b.name));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, "Cannot read a directory of the repository", { path: directory.toString() });
  }
}

/** The last component of a reference's target, as gc of the reference tool reads it. */
function entryOfTarget(target: string): string {
  return target.slice(target.lastIndexOf("/") + 1);
}

function optional(entry: string | undefined): string[] {
  return entry === undefined ? [] : [entry];
}
