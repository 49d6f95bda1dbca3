/** The images that a command line names, in the repository of a disk. */
import type { ComposefsArgument } from "../../bls/index.ts";
import { byteStringOfText, displayText } from "../../bytes/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import type { Ext4File, Ext4Tree } from "../../disk/index.ts";
import { type ErofsImage, readErofs } from "../../erofs/index.ts";
import { ruleOf } from "../objects/image-rule.ts";
import { checkVerityFile } from "../objects/verity-file.ts";
import type { LinkDraft } from "../report/link.ts";

/** The kernel's limit of what is mounted is far above; a million files have 200 MB. */
const IMAGE_MAX_BYTES = 1 << 30;
const REPAIR = "on the host: sealroot fsck --repair";

export interface CheckedImage extends ErofsImage {
  /** False of one that is accepted without. */
  readonly hasVerity: boolean;
}

/**
 * The image's link, its bytes as the kernel will read them, and by which rule it was made.
 *
 * @param isFirst whether it is the one that is mounted; the others are for older programs
 * @returns undefined when it cannot be read
 */
export async function checkImage(
  parent: LinkDraft,
  root: Ext4Tree,
  argument: ComposefsArgument,
  isFirst: boolean,
): Promise<CheckedImage | undefined> {
  const { id, verityOptional, formatVersion } = argument;
  const path = `${REPOSITORY_PATH}/images/${id}`;
  const draft = parent.link("image", id);
  draft.checkedBy(`${argument.algorithm} fs-verity digest in the command line`);
  const file = await draft.attempt(() => fileAt(root, path), { path, remedy: REPAIR });
  if (file === undefined) {
    if (draft.isBroken) return undefined;
    const role = isFirst
      ? "the image that the command line names is not there"
      : "the second image that the command line names is not there";
    draft.broken(role, { path, expected: id, found: "nothing", remedy: REPAIR });
    return undefined;
  }
  const { fault, sizeBytes } = checkVerityFile(root.reader, file.inode, id);
  if (fault !== undefined) {
    const isAccepted = fault.kind === "no-verity" && verityOptional;
    const { kind: _, message, ...data } = fault;
    draft.find(isAccepted ? "weaker" : "broken", message, { path, ...data, remedy: REPAIR });
    if (fault.kind !== "no-verity") return undefined;
  }
  const image = await draft.attempt(() => readErofs(root.reader.bytes(file, IMAGE_MAX_BYTES)), { path });
  if (image === undefined) return undefined;
  draft.fact(`${sizeBytes} bytes, ${ruleOf(image)}`);
  if (formatVersion !== undefined && (formatVersion === 2) !== (image.version === 2)) {
    draft.broken(`it is an image of version ${image.version}, the command line says ${formatVersion}`, {
      path,
      expected: `version ${formatVersion}`,
      found: `version ${image.version}`,
      remedy: "seal the image again",
    });
  }
  return { ...image, hasVerity: fault === undefined };
}

/** Links are followed inside the repository only. */
function fileAt(root: Ext4Tree, path: string): Ext4File | undefined {
  const found = root.find(byteStringOfText(path));
  if (found?.kind !== "symlink") return found;
  const target = displayText(root.reader.target(found));
  const object = /^\.\.\/(objects\/[0-9a-f]{2}\/[0-9a-f]+)$/.exec(target)?.[1];
  return object === undefined ? undefined : root.find(byteStringOfText(`${REPOSITORY_PATH}/${object}`));
}
