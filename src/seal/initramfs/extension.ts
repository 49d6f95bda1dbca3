/** The extension: an archive after an image's own initramfs, which stays unchanged (spec/boot-chain.md G). */
import { constants, zstdCompressSync } from "node:zlib";
import { boundedUnpackers } from "../../bootimage/index.ts";
import {
  type InitramfsSegment,
  joinInitramfs,
  summarizeInitramfs,
  walkInitramfs,
  writeCpio,
} from "../../cpio/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ImageFiles } from "../../tree/index.ts";
import { collectCommonParts, type InitramfsOptions } from "./common-entries.ts";
import { glueEntries } from "./glue.ts";
import { BASE, file, program, withDirectories } from "./layout.ts";

/** The base must be for the kernel that is booted; what is unpacked of it draws from the budget as well. */
export type ExtensionOptions = Omit<InitramfsOptions, "diskModules">;

/** As for the minimal initramfs. */
const COMPRESSION_LEVEL = 12;

/**
 * The image's own initramfs followed by our extension: the base finds its disk in its own way (LUKS, LVM, RAID), then
 * our program takes over.
 *
 * @param base the image's initramfs
 * @throws SealrootError `unsupported` for a kind that cannot be extended, `conflict` for another kernel's, `corrupt`
 *   for one that the kernel would not unpack to its end
 */
export async function extendInitramfs(
  base: Uint8Array,
  files: ImageFiles,
  options: ExtensionOptions,
): Promise<Uint8Array> {
  const { kind, kernelReleases } = summarizeInitramfs(walkInitramfs(base, boundedUnpackers(options.budget)));
  if (kind.kind === "unknown") {
    throw new SealrootError("unsupported", `Cannot extend the image's initramfs: ${kind.reason}`, {
      expected: "one of dracut with systemd, or of initramfs-tools",
      hint: "leave the initramfs out of the image: sealroot then builds its own",
    });
  }
  if (kernelReleases.length > 0 && !kernelReleases.includes(options.kernelRelease)) {
    throw new SealrootError("conflict", "Cannot extend the image's initramfs: it is for another kernel", {
      expected: options.kernelRelease,
      actual: kernelReleases.join(", "),
    });
  }
  const extension = await buildInitramfsExtension(files, { ...options, kind: kind.kind });
  const joined = joinInitramfs(base, extension);
  checkExtensionIsLast(joined, extension);
  return joined;
}

/**
 * The extension alone, one zstd frame: a compressed archive may begin at any offset.
 *
 * Programs and libraries are below our own directory, with their own dynamic loader, so nothing of the base is used,
 * replaced or shadowed.
 */
export async function buildInitramfsExtension(
  files: ImageFiles,
  options: ExtensionOptions & { readonly kind: "systemd" | "initramfs-tools" },
): Promise<Uint8Array> {
  const { entries: own, image } = await collectCommonParts(files, {
    ...options,
    programs: ["qjs", "mount", "umount", "blkid"],
    withDisks: false,
  });
  for (const { requestedPath, bytes, role } of image.libraries) {
    const name = requestedPath.slice(requestedPath.lastIndexOf("/") + 1);
    own.push(role === "loader" ? program(`${BASE}/ld.so`, bytes) : file(`${BASE}/lib/${name}`, bytes));
  }
  const entries = [...withDirectories(own, BASE), ...(await glueEntries(options.kind))];
  return zstdCompressSync(writeCpio(entries), { params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } });
}

/**
 * Walks the joined file again: a lost extension would not stop the boot: the base would carry on without us.
 * @throws SealrootError `corrupt`
 */
function checkExtensionIsLast(joined: Uint8Array, extension: Uint8Array): void {
  let last: InitramfsSegment | undefined;
  // The same archives once more, one in memory at a time: the budget has them already.
  for (const segment of walkInitramfs(joined, boundedUnpackers())) last = segment;
  const isOurs =
    last !== undefined && Buffer.compare(joined.subarray(last.startOffset, last.endOffset), extension) === 0;
  if (!isOurs || last?.endOffset !== joined.length) {
    throw new SealrootError("corrupt", "Cannot extend the image's initramfs: the extension is not its last archive");
  }
}
