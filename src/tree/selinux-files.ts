/** The SELinux policy files that an image contains (spec/oci.md 6). */
import type { ByteString } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { parseSelinuxPolicy, type SelinuxPolicy, selinuxTypeOf } from "../selinux/index.ts";
import type { DirectoryNode, FileContent } from "./node.ts";
import { lookupPath, quotePath } from "./path.ts";

/** Gives a file's bytes, from the tree itself or from its object. */
export type ContentReader = (content: FileContent, path: ByteString) => Uint8Array;

/** A policy has at most a few megabytes; an image cannot make us read more. */
const POLICY_FILE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Reads the policy of the image's `/etc/selinux`.
 *
 * @param readContent asked for the content of six files at most
 * @returns undefined if the image has no policy: no `/etc/selinux`, no `config` in it, or no SELINUXTYPE there
 * @throws SealrootError `corrupt` for a policy that names files it does not have, or that cannot be parsed
 */
export function readSelinuxPolicy(root: DirectoryNode, readContent: ContentReader): SelinuxPolicy | undefined {
  const read = (path: string) => readPolicyFile(root, path as ByteString, readContent);
  const config = read("/etc/selinux/config");
  const type = config === undefined ? undefined : selinuxTypeOf(config);
  if (type === undefined) return undefined;
  const contexts = `/etc/selinux/${type}/contexts/files/file_contexts`;
  const fileContexts = read(contexts);
  if (fileContexts === undefined) {
    throw new SealrootError("corrupt", `Cannot read the image's SELinux policy: ${contexts} does not exist`);
  }
  return parseSelinuxPolicy({
    contexts: [
      { path: contexts, bytes: fileContexts },
      { path: `${contexts}.local`, bytes: read(`${contexts}.local`) },
      { path: `${contexts}.homedirs`, bytes: read(`${contexts}.homedirs`) },
    ],
    substitutions: [
      { path: `${contexts}.subs`, bytes: read(`${contexts}.subs`) },
      { path: `${contexts}.subs_dist`, bytes: read(`${contexts}.subs_dist`) },
    ],
  });
}

function readPolicyFile(root: DirectoryNode, path: ByteString, readContent: ContentReader): Uint8Array | undefined {
  const node = lookupPath(root, path);
  if (node === undefined) return undefined;
  const reason = `Cannot read the image's SELinux policy: ${quotePath(path)}`;
  if (node.kind !== "file") throw new SealrootError("unsupported", `${reason} is not a regular file`);
  const { content } = node;
  const sizeBytes = content.type === "inline" ? content.bytes.length : content.sizeBytes;
  if (sizeBytes > POLICY_FILE_MAX_BYTES) throw new SealrootError("unsupported", `${reason} has ${sizeBytes} bytes`);
  return readContent(content, path);
}
