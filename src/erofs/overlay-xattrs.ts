/**
 * The two attributes by which overlayfs finds a file's object, `trusted.overlay.metacopy` and `.redirect`
 * (spec/erofs.md 3.4 step 2; struct ovl_metacopy of linux fs/overlayfs). Nearly all of them belong to one file, so they
 * are counted first and made again whenever needed: kept as pairs they would take most of the writer's memory.
 */
import { type ByteString, IdIndex, isLowerHex } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { type DumpDialect, type FileContent, objectIdOfPath, objectPath } from "../tree/index.ts";
import { ALGORITHM_NUMBER, DIGEST_BYTES, type VerityAlgorithm } from "../verity/index.ts";
import { METACOPY_XATTR, REDIRECT_XATTR } from "./format.ts";
import type { XattrEntry } from "./xattr-entry.ts";
import type { XattrName } from "./xattr-name.ts";
import type { XattrTable } from "./xattr-table.ts";

const METACOPY = METACOPY_XATTR as ByteString;
const REDIRECT = REDIRECT_XATTR as ByteString;
/** Version, length, flags, algorithm: what precedes the digest. */
const METACOPY_HEADER_BYTES = 4;

export type ExternalContent = Extract<FileContent, { type: "external" }>;

export class OverlayXattrs {
  readonly #dialect: DumpDialect;
  readonly #algorithm: VerityAlgorithm;
  readonly #table: XattrTable;
  /** Digests, in the order of their first file. */
  readonly #digests: string[] = [];
  readonly #digestIndex = new IdIndex((number) => this.#digests[number] as string);
  /** How many files have a digest, of those that several have; the empty string for files without. */
  readonly #metacopyUses = new Map<string, number>();
  /** How many more files have the redirect made from this text than have the metacopy: usually empty. */
  readonly #redirectSurplus = new Map<string, number>();
  readonly #sharedMetacopies = new Map<string, XattrEntry>();
  readonly #sharedRedirects = new Map<string, XattrEntry>();

  constructor(dialect: DumpDialect, algorithm: VerityAlgorithm, table: XattrTable) {
    this.#dialect = dialect;
    this.#algorithm = algorithm;
    this.#table = table;
  }

  /** Counts one file; all must be counted before {@link addShared}. */
  count(content: ExternalContent): void {
    const { objectId } = content;
    if (objectId !== undefined && (objectId.length !== 2 * DIGEST_BYTES[this.#algorithm] || !isLowerHex(objectId))) {
      throw corrupt(`Cannot write EROFS image: object ${objectId} is not named by a ${this.#algorithm} digest`);
    }
    if (objectId === undefined) increase(this.#metacopyUses, "", 1);
    else this.#countDigest(objectId);
    const source = this.#redirectSource(content);
    if (source === objectId) return;
    if (source !== undefined) increase(this.#redirectSurplus, source, 1);
    if (objectId !== undefined) increase(this.#redirectSurplus, objectId, -1);
  }

  /** Puts those that several files share into the table. */
  addShared(): void {
    for (const [objectId, uses] of this.#metacopyUses) {
      if (uses > 1)
        this.#sharedMetacopies.set(objectId, this.#table.use(METACOPY, this.#metacopyValue(objectId), uses));
      if (objectId !== "") this.#shareRedirect(objectId, uses + (this.#redirectSurplus.get(objectId) ?? 0));
    }
    for (const [source, uses] of this.#redirectSurplus) {
      if (!this.#metacopyUses.has(source)) this.#shareRedirect(source, uses + this.#digestUses(source));
    }
  }

  /** The attributes of one file, metacopy first. */
  entriesOf(content: ExternalContent): XattrEntry[] {
    const objectId = content.objectId ?? "";
    const metacopy = this.#sharedMetacopies.get(objectId) ?? new MetacopyEntry(this.#table.name(METACOPY), objectId);
    const source = this.#redirectSource(content);
    if (source === undefined) return [metacopy];
    return [metacopy, this.#sharedRedirects.get(source) ?? new RedirectEntry(this.#table.name(REDIRECT), source)];
  }

  #countDigest(digest: string): void {
    const knownDigests = this.#digests.length;
    if (this.#digestIndex.add(digest) === knownDigests) this.#digests.push(digest);
    else this.#metacopyUses.set(digest, (this.#metacopyUses.get(digest) ?? 1) + 1);
  }

  /** Of a digest that no two files have. */
  #digestUses(text: string): number {
    return this.#digestIndex.find(text) === undefined ? 0 : 1;
  }

  #shareRedirect(source: string, uses: number): void {
    if (uses < 2) return;
    this.#sharedRedirects.set(source, this.#table.use(REDIRECT, redirectValue(source), uses));
  }

  #metacopyValue(objectId: string): ByteString {
    if (objectId === "") return "" as ByteString;
    const digest = Buffer.from(objectId, "hex").toString("latin1");
    return `${String.fromCharCode(...metacopyHeader(objectId))}${digest}` as ByteString;
  }

  /**
   * What the redirect is made from: a digest if it is the digest's path, otherwise the path itself after a slash.
   * The C tool uses any path; composefs-rs uses the digest, and without one reads it from the path.
   */
  #redirectSource(content: ExternalContent): string | undefined {
    const { objectId, backingPath } = content;
    if (backingPath === undefined || (this.#dialect === "rs" && objectId !== undefined)) return objectId;
    const named = objectIdOfPath(backingPath);
    if (this.#dialect === "c") return named === undefined || backingPath.startsWith("/") ? `/${backingPath}` : named;
    if (named === undefined) throw corrupt(`Cannot write EROFS image: backing path ${backingPath} is not xx/REST`);
    return named;
  }
}

/** The metacopy of a file that alone has its object; written without going through a string. */
class MetacopyEntry implements XattrEntry {
  readonly name: XattrName;
  readonly valueBytes: number;
  readonly tableOffset = -1;
  readonly #objectId: string;

  constructor(name: XattrName, objectId: string) {
    this.name = name;
    this.#objectId = objectId;
    this.valueBytes = objectId === "" ? 0 : METACOPY_HEADER_BYTES + objectId.length / 2;
  }

  writeValue(out: Buffer, offset: number): void {
    if (this.#objectId === "") return;
    out.set(metacopyHeader(this.#objectId), offset);
    out.write(this.#objectId, offset + METACOPY_HEADER_BYTES, "hex");
  }
}

/** The redirect of a file that alone has its object. */
class RedirectEntry implements XattrEntry {
  readonly name: XattrName;
  readonly valueBytes: number;
  readonly tableOffset = -1;
  readonly #source: string;

  constructor(name: XattrName, source: string) {
    this.name = name;
    this.#source = source;
    this.valueBytes = source.startsWith("/") ? source.length : source.length + 2;
  }

  writeValue(out: Buffer, offset: number): void {
    out.write(redirectValue(this.#source), offset, "latin1");
  }
}

function redirectValue(source: string): ByteString {
  return (source.startsWith("/") ? source : `/${objectPath(source)}`) as ByteString;
}

/** The digest's length tells its algorithm. */
function metacopyHeader(objectId: string): number[] {
  const digestBytes = objectId.length / 2;
  const algorithm = digestBytes === DIGEST_BYTES.sha256 ? ALGORITHM_NUMBER.sha256 : ALGORITHM_NUMBER.sha512;
  return [0, METACOPY_HEADER_BYTES + digestBytes, 0, algorithm];
}

function increase(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
