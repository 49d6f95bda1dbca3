/** The OCI documents of the image that a deployment of a disk was made of, out of the repository on its root. */
import { byteStringOfText, displayText } from "../../bytes/index.ts";
import { originPath, parseOrigin, REPOSITORY_PATH } from "../../deployment/index.ts";
import type { Ext4Tree } from "../../disk/index.ts";
import { corrupt } from "../../errors/index.ts";
import { configStreamName, manifestStreamName } from "../../imagestore/index.ts";
import { DOCUMENT_MAX_BYTES, digestLike, isDigest, readManifest } from "../../oci/index.ts";
import { readChunks, readSplitStream } from "../../splitstream/index.ts";
import { objectPath } from "../../tree/index.ts";
import type { ImageDocuments } from "../policy/materials.ts";

const ORIGIN_MAX_BYTES = 1 << 20;
/** A stream of a document is small: header, one reference, names of the layers. */
const STREAM_MAX_BYTES = 1 << 20;

/**
 * @returns undefined when the disk does not have them: an old origin file names no manifest, and bootc may remove images
 * @throws SealrootError `corrupt` for documents that do not have their digests
 */
export async function documentsOnDisk(root: Ext4Tree, deploymentId: string): Promise<ImageDocuments | undefined> {
  const path = originPath(deploymentId);
  const bytes = readFile(root, path, ORIGIN_MAX_BYTES);
  if (bytes === undefined) return undefined;
  const { manifestDigest, imageReference } = parseOrigin(Buffer.from(bytes).toString("utf8"), path);
  if (manifestDigest === undefined || !isDigest(manifestDigest)) return undefined;
  const manifestBytes = await readDocument(root, manifestStreamName(manifestDigest), manifestDigest);
  if (manifestBytes === undefined) return undefined;
  const { digest } = readManifest(manifestBytes, manifestDigest).config;
  const configBytes = await readDocument(root, configStreamName(digest), digest);
  if (configBytes === undefined) return undefined;
  return { reference: imageReference, manifestDigest, manifestBytes, configBytes };
}

async function readDocument(root: Ext4Tree, name: string, digest: string): Promise<Uint8Array | undefined> {
  const stream = readFile(root, `${REPOSITORY_PATH}/streams/${name}`, STREAM_MAX_BYTES);
  if (stream === undefined) return undefined;
  const objects: string[] = [];
  await readChunks(readSplitStream(stream), {
    inline: () => {
      throw corrupt(`Cannot read stream ${name}: the document is not an object of its own`);
    },
    external: (objectId) => objects.push(objectId),
  });
  const [object] = objects;
  const path = `${REPOSITORY_PATH}/objects/${object === undefined ? "" : objectPath(object)}`;
  const bytes = objects.length === 1 ? readFile(root, path, DOCUMENT_MAX_BYTES) : undefined;
  const actual = bytes === undefined ? undefined : digestLike(digest, bytes);
  if (actual === digest) return bytes;
  throw corrupt(`Cannot read stream ${name}: its document has another digest`, {
    expected: digest,
    ...(actual === undefined ? {} : { actual }),
  });
}

/** Of the repository and the state; a link of the repository leads to one of its objects. */
function readFile(root: Ext4Tree, path: string, limitBytes: number): Uint8Array | undefined {
  const found = root.find(byteStringOfText(path));
  if (found?.kind === "file") return root.reader.bytes(found, limitBytes);
  if (found?.kind !== "symlink") return undefined;
  const target = displayText(root.reader.target(found));
  const object = /^(?:\.\.\/)+(objects\/[0-9a-f]{2}\/[0-9a-f]+)$/.exec(target)?.[1];
  const file = object === undefined ? undefined : root.find(byteStringOfText(`${REPOSITORY_PATH}/${object}`));
  return file?.kind === "file" ? root.reader.bytes(file, limitBytes) : undefined;
}
