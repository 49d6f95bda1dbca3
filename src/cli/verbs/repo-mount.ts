/** `sealroot repo mount IMAGE DIR`. */
import { SealrootError } from "../../errors/index.ts";
import type { MountImageOptions } from "../../repository/index.ts";
import type { Command, Invocation } from "../command.ts";
import { IMAGE_ARGUMENT, IMAGE_OPTIONS, imageArgument } from "../image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../repository-option.ts";

export const repoMount: Command = {
  description: `Mounts an image on a directory, by the kernel and as root; umount(8) ends it. Of a secure repository the kernel
checks every block that is read, and opens no file whose object has not the digest that the image says. Of an insecure
one only the image itself is checked, when it is mounted.

With --upperdir and --workdir, two directories of one file system, an overlay on top keeps what is written with
--read-write.`,
  arguments: [IMAGE_ARGUMENT, { name: "DIR", summary: "an existing directory" }],
  options: [
    { flags: "--upperdir <DIR>", summary: "what is written" },
    { flags: "--workdir <DIR>", summary: "for overlayfs itself, on the same file system" },
    { flags: "--read-write", summary: "allow writing; needs --upperdir" },
    ...IMAGE_OPTIONS,
    ...REPOSITORY_OPTIONS,
  ],
  examples: [
    "sealroot repo mount --repo /sysroot/composefs my-system /mnt",
    "sealroot repo mount my-system /mnt --upperdir up --workdir work --read-write",
  ],
  async run(invocation) {
    const { mountImage } = await import("../../repository/index.ts");
    const options = mountOptions(invocation);
    using repository = await openSelectedRepository(invocation);
    mountImage(repository, await imageArgument(invocation, repository), invocation.argument("DIR"), options);
  },
};

function mountOptions(invocation: Invocation): MountImageOptions {
  const [upperPath, workPath] = [invocation.option("upperdir"), invocation.option("workdir")];
  const readWrite = invocation.flag("read-write");
  if (upperPath !== undefined && workPath !== undefined) return { upper: { upperPath, workPath }, readWrite };
  if (upperPath !== undefined || workPath !== undefined) {
    throw new SealrootError("usage", "Cannot use one of --upperdir and --workdir alone: overlayfs needs both");
  }
  if (readWrite) throw new SealrootError("usage", "Cannot mount read-write: there is no --upperdir to write to");
  return { readWrite };
}
