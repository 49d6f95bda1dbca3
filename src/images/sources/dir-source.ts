/**
 * An image in a plain directory, as written by skopeo (`dir:`): manifest.json, and blobs by their hexadecimal digits.
 */
import { join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import {
  type BlobName,
  type BlobReader,
  checkedBlobFile,
  DOCUMENT_MAX_BYTES,
  describeDocument,
  formatReference,
  manifestMediaType,
  type PathReference,
  resolvedPath,
  splitDigest,
  wholeBlob,
} from "../../oci/index.ts";
import { readBoundedFile } from "../../platform/index.ts";

/** What the file `version` holds (containers-transports(5), "dir"). */
const VERSION_MAX_BYTES = 4096;
const VERSION = /^Directory Transport Version: 1\.\d+\n?$/;

/**
 * Opens the image in the directory. Its manifest may be an index, OCI's or Docker's; the manifests it names are beside
 * it as `<hex>.manifest.json`.
 *
 * @throws SealrootError `not-found`, `corrupt`, `unsupported` for a later version of the form
 */
export async function openDirSource(reference: PathReference): Promise<ImageSource> {
  const path = await resolvedPath(reference.path);
  await checkVersion(path, reference);
  const blobs = new DirBlobs(path);
  const manifestBytes = await readDocument(join(path, "manifest.json"), reference);
  const manifest = describeDocument(manifestMediaType(manifestBytes, join(path, "manifest.json")), manifestBytes);
  return {
    place: { transport: "dir", path },
    index: { schemaVersion: 2, manifests: [manifest] },
    blobs,
    remote: false,
    readManifest: async (descriptor) =>
      descriptor.digest === manifest.digest ? manifestBytes : wholeBlob(blobs.manifests, descriptor),
    close: async () => {},
  };
}

/** Handmade directories have no such file, and skopeo does not require it. */
async function checkVersion(directory: string, reference: PathReference): Promise<void> {
  const path = join(directory, "version");
  let text: string;
  try {
    text = (await readBoundedFile(path, VERSION_MAX_BYTES)).toString("utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw asSealrootError(error, `Cannot open image ${formatReference(reference)}`, { path });
  }
  if (VERSION.test(text)) return;
  const what = `Cannot open image ${formatReference(reference)}: its form is "${text.slice(0, 80).trimEnd()}"`;
  throw new SealrootError("unsupported", what, { path, expected: "Directory Transport Version: 1" });
}

async function readDocument(path: string, reference: PathReference): Promise<Uint8Array> {
  return readBoundedFile(path, DOCUMENT_MAX_BYTES).catch((error: unknown) => {
    throw asSealrootError(error, `Cannot open image ${formatReference(reference)}`, { path });
  });
}

class DirBlobs implements BlobReader {
  /** The same directory's inner manifests. */
  readonly manifests: BlobReader;
  readonly #directory: string;
  readonly #suffix: string;

  constructor(directory: string, suffix = "") {
    this.#directory = directory;
    this.#suffix = suffix;
    this.manifests = suffix === "" ? new DirBlobs(directory, ".manifest.json") : this;
  }

  read(blob: BlobName): AsyncGenerator<Uint8Array> {
    return checkedBlobFile(join(this.#directory, `${splitDigest(blob.digest).hex}${this.#suffix}`), blob);
  }

  readWhole(blob: BlobName): Promise<Uint8Array> {
    return wholeBlob(this, blob);
  }
}
