/** What can be compared: anything that has a tree, or names one by its digest. */
import type { ComposefsArgument } from "../bls/index.ts";
import type { Composition, LayerHistory } from "../compare/index.ts";
import type { ErofsVersion } from "../repository/index.ts";
import type { ContentReader, DirectoryNode } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";

export type SourceKind = "image" | "directory" | "dump file" | "EROFS image" | "UKI" | "image id" | "disk";

/** An image that something names without holding it. */
export type NamedImage = Pick<ComposefsArgument, "id" | "algorithm" | "formatVersion">;

/** One side, found but not read. */
export interface Source {
  /** As the user wrote it. */
  readonly given: string;
  readonly kind: SourceKind;
  /** Of the digests that it has; undefined: they are computed, by any. */
  readonly algorithm: VerityAlgorithm | undefined;
  /** Of a UKI or an id. */
  readonly names: readonly NamedImage[];
  /** Undefined for what only names images. */
  readonly read: ((algorithm: VerityAlgorithm) => Promise<SourceTree>) | undefined;
}

/** The tree of a source. */
export interface SourceTree {
  /** Only for this caller, who may change it. */
  readonly root: DirectoryNode;
  readonly composition: Composition;
  /** Of an EROFS image: of its own bytes; all others have theirs computed. */
  readonly image?: { readonly id: string; readonly version: ErofsVersion };
  readonly history: LayerHistory | undefined;
  /** Somebody else made it of the layers of an image, if it was made of one. */
  readonly isUnpacked: boolean;
  /** @throws SealrootError `not-found` for contents that are not at hand */
  readonly readContent: ContentReader;
  /** The same image without its upper layers. */
  readonly layers?: {
    readonly count: number;
    lower(count: number): Promise<DirectoryNode>;
    describe(index: number): string;
  };
  /** What it is made of, in words: `3 layers`. */
  readonly remark?: string;
  /** The files of the ESP of a disk, as a tree of their own. */
  readonly esp?: DirectoryNode;
}
