/** From the header of a sparse file to its entry: in some forms, blocks with the list of its regions come in between. */
import { type TarEntry, withSparse } from "./entry.ts";
import type { HeaderForm } from "./header.ts";
import type { PaxSparse } from "./pax-sparse.ts";
import { type TarPlace, tarError } from "./place.ts";
import { checkedSparseMap, LeadingSparseList, OldSparseList, type SparseMap } from "./sparse.ts";

/** What marks a file as sparse. */
export interface SparseSigns {
  /** Of its header. */
  readonly form: HeaderForm;
  /** Its header block, if its type is that of the old form. */
  readonly oldBlock: Uint8Array | undefined;
  /** From its PAX records. */
  readonly pax: PaxSparse | undefined;
}

/** A sparse file whose list of regions is being read. */
export class PendingSparse {
  readonly #list: OldSparseList | LeadingSparseList;
  readonly #entry: TarEntry;
  readonly #sizeBytes: number;

  constructor(list: OldSparseList | LeadingSparseList, entry: TarEntry, sizeBytes: number) {
    this.#list = list;
    this.#entry = entry;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Takes the next block.
   * @returns the entry, or undefined while there is more of the list
   * @throws SealrootError `corrupt`
   */
  addBlock(block: Uint8Array, offset: number): TarEntry | undefined {
    const list = this.#list;
    const place = { offset, path: this.#entry.path };
    list.addBlock(block, place);
    if (list instanceof OldSparseList) return list.isContinued ? undefined : finished(this.#entry, list, 0, place);
    if (!list.isComplete) return undefined;
    return finished(this.#entry, { sizeBytes: this.#sizeBytes, regions: list.regions() }, list.sizeBytes, place);
  }
}

/**
 * The entry of a file, or what must be read first; the unchanged entry if it has no holes.
 * @throws SealrootError `corrupt`, `unsupported` for an unknown form
 */
export function sparseEntry(entry: TarEntry, signs: SparseSigns, place: TarPlace): TarEntry | PendingSparse {
  const { form, oldBlock, pax } = signs;
  if (oldBlock !== undefined) {
    if (form !== "gnu") throw tarError(place, "a sparse file of an unknown form", {}, "unsupported");
    const list = new OldSparseList(oldBlock, place);
    return list.isContinued ? new PendingSparse(list, entry, list.sizeBytes) : finished(entry, list, 0, place);
  }
  if (pax === undefined) return entry;
  const { sizeBytes, regions } = pax;
  if (regions === undefined) return new PendingSparse(new LeadingSparseList(), entry, sizeBytes);
  return finished(entry, { sizeBytes, regions }, 0, place);
}

/** @param listBytes of the list, if it is part of the body */
function finished(entry: TarEntry, { sizeBytes, regions }: SparseMap, listBytes: number, place: TarPlace): TarEntry {
  const storedBytes = entry.storedBytes - listBytes;
  return withSparse(entry, checkedSparseMap({ sizeBytes, regions }, storedBytes, place), storedBytes);
}
