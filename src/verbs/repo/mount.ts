/** `sealroot repo mount IMAGE DIR`. */
import type { MountImageOptions } from "../../repository/index.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { IMAGE_ARGUMENT, IMAGE_OPTIONS, imageArgument } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

const OPTIONS = [
  { flags: "--upperdir <DIR>", summary: "what is written", needs: ["workdir"] },
  { flags: "--workdir <DIR>", summary: "for overlayfs itself, on the same file system", needs: ["upperdir"] },
  { flags: "--read-write", summary: "allow writing; needs --upperdir", needs: ["upperdir"] },
  ...IMAGE_OPTIONS,
  ...REPOSITORY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const repoMount = command({
  description: `Mounts an image on a directory, by the kernel and as root; umount(8) ends it. In a secure repository the
kernel checks every block that is read, and opens only files whose objects have the digest that the image says. In an
insecure one only the image itself is checked, when it is mounted.

With --upperdir and --workdir, two directories of one file system, an overlay on top keeps what is written (with
--read-write).`,
  arguments: [IMAGE_ARGUMENT, { name: "DIR", summary: "an existing directory" }],
  options: OPTIONS,
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
});

function mountOptions(invocation: Call): MountImageOptions {
  const [upperPath, workPath] = [invocation.option("upperdir"), invocation.option("workdir")];
  const readWrite = invocation.flag("read-write");
  if (upperPath === undefined || workPath === undefined) return { readWrite };
  return { upper: { upperPath, workPath }, readWrite };
}
