/** What a verification had in hand, for whoever makes evidence of it: nothing is read twice. */
import { createHash } from "node:crypto";
import type { ComposefsArgument } from "../../bls/index.ts";
import { displayText } from "../../bytes/index.ts";
import type { PartitionTable } from "../../disk/index.ts";
import type { SignatureDatabases } from "../../keys/index.ts";
import { contentReader, type DirectoryNode, walkTree } from "../../tree/index.ts";
import type { ChainProgram } from "../boot/check-uki.ts";
import type { LinkDraft } from "../report/link.ts";

export interface NamedImage {
  readonly id: string;
  readonly algorithm: ComposefsArgument["algorithm"];
  /** In words; undefined when the image could not be read or made. */
  readonly rule: string | undefined;
}

export interface ImageDocuments {
  /** As given, or as the host follows it. */
  readonly reference: string;
  readonly manifestDigest: string;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
}

/** A file of the image, or an artifact that refers to it. */
export interface SoftwareList {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export class Materials {
  programs: readonly ChainProgram[] = [];
  databases: readonly SignatureDatabases[] = [];
  /** In the order in which command lines name them; one may be there several times. */
  readonly images: NamedImage[] = [];
  /** Of the image that runs, boots by default, or is verified. */
  source: ImageDocuments | undefined;
  readonly softwareLists: SoftwareList[] = [];
  disk: PartitionTable | undefined;

  /**
   * Reads what no boot depends on: that it cannot be read is said, and breaks nothing.
   * @param draft undefined where the objects' link will say it
   */
  async take(draft: LinkDraft | undefined, read: () => Promise<void> | void): Promise<void> {
    try {
      await read();
    } catch (error) {
      draft?.failed(error, "unchecked");
    }
  }

  /** Each once, with its rule if it is known anywhere. */
  namedImages(): NamedImage[] {
    return [...new Set(this.images.map(({ id }) => id))].flatMap((id) => {
      const same = this.images.filter((image) => image.id === id);
      return same.find(({ rule }) => rule !== undefined) ?? same.slice(0, 1);
    });
  }

  /**
   * Notes the lists of software among the files of an image, by the names that SPDX and CycloneDX recommend and the folder where
   * distributions put them.
   * @throws SealrootError for a list that cannot be read
   */
  addSoftwareLists(root: DirectoryNode, readObject: (objectId: string) => Uint8Array): void {
    const read = contentReader(readObject);
    for (const { node, path } of walkTree(root)) {
      if (node.kind !== "file") continue;
      const shown = displayText(path);
      if (!SOFTWARE_LIST.test(shown)) continue;
      const bytes = read(node.content, path);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      this.softwareLists.push({ path: shown, sizeBytes: bytes.length, sha256 });
      if (this.softwareLists.length >= SOFTWARE_LISTS_MAX) return;
    }
  }
}

/** SPDX 2.3, 4.4 and CycloneDX 1.6, "Recognized Predefined File Name Patterns"; /usr/share/sbom as Debian's and Fedora's proposals. */
const SOFTWARE_LIST =
  /^\/usr\/(?:share|lib)\/sboms?\/.+$|\.(?:spdx|cdx)(?:\.(?:json|xml|rdf|yml|yaml))?$|\/bom\.(?:json|xml)$/;
const SOFTWARE_LISTS_MAX = 1000;
