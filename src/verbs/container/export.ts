/** `sealroot container export DIR` */
import { realpathSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

export const containerExport = command({
  description: `Writes the root file system as a tar, labelled by the image's own SELinux policy, for installers that unpack one. Left
out are /tmp, /var/tmp and /sysroot/ostree, and what is mounted inside.`,
  arguments: [{ name: "DIR", summary: "the root file system" }],
  options: [
    { flags: "--format <FORMAT>", summary: "tar (default)", choices: ["tar"] },
    { flags: "-o, --output <FILE>", summary: "where the tar goes (default: standard output)" },
    { flags: "--kernel-in-boot", summary: "also put kernel and initramfs into /boot, where older installers look" },
    { flags: "--disable-selinux", summary: "without labels" },
  ],
  examples: ["sealroot container export -o rootfs.tar rootfs"],
  async run(invocation) {
    const { exportMembers, RootDirectory } = await import("../../container/index.ts");
    const { writeTar } = await import("../../tar/index.ts");
    const directory = new RootDirectory(invocation.argument("DIR"));
    const output = invocation.option("output");
    if (output === undefined && invocation.output.isTerminal === true) {
      throw new SealrootError("usage", "Cannot write a tar to a terminal", { hint: "name a file with -o, or pipe it" });
    }
    const tar = writeTar(
      exportMembers(directory, {
        kernelInBoot: invocation.flag("kernel-in-boot"),
        labels: !invocation.flag("disable-selinux"),
      }),
    );
    if (output === undefined) for await (const part of tar) await invocation.output.bytes(part);
    else await writeTo(output, directory.path, tar);
  },
});

/** The file has its name when it is whole. */
async function writeTo(path: string, root: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const { inspectFilePlace, takeOverAccess, temporaryFile } = await import("../../platform/index.ts");
  const action = "Cannot write the tar";
  const place = inspectFilePlace(path, action);
  if (`${realpathSync(dirname(place.path))}/`.startsWith(root === "/" ? root : `${root}/`)) {
    throw new SealrootError("usage", `${action} ${path}: it would be inside the root file system that it holds`, {
      path,
    });
  }
  using file = temporaryFile({ parent: dirname(place.path), purpose: "export", mode: 0o644 });
  try {
    for await (const part of tar) writeFileSync(file.fd, part);
    takeOverAccess(file.fd, file.path, place, action);
    renameSync(file.path, place.path);
  } catch (error) {
    throw asSealrootError(error, action, { path });
  }
}
