/** An image that can be sealed, small: this machine's programs, and boot components that nothing would start. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ImageConfig, MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { loaderImage, peImage, stubImage } from "../bootloader/pe-fixture.ts";
import { madeImage, RELEASE } from "./initramfs/made-image.ts";

const EFI_PROGRAMS = "usr/lib/systemd/boot/efi";

/**
 * Writes it into a layout below `directory`.
 *
 * @param members a second layer, for what no file system holds
 * @returns its reference
 */
export async function sealableImage(directory: string, members: readonly TarMember[] = []): Promise<string> {
  const image = await sealableRoot();
  try {
    const words = ["--owner=0", "--group=0", "--mtime=@1600000000"];
    return await writeLayout(image.root, join(directory, "sealable"), { words, members });
  } finally {
    image.remove();
  }
}

/** Its root file system as a directory, with the times of now; `remove` deletes it. */
export async function sealableRoot(): Promise<{ root: string; remove: () => void }> {
  const image = await madeImage();
  try {
    for (const name of ["boot", "etc", "sysroot", "var"]) mkdirSync(join(image.root, name));
    const files: Record<string, string | Uint8Array> = {
      [`usr/lib/modules/${RELEASE}/vmlinuz`]: kernelImage(RELEASE),
      [`usr/lib/modules/${RELEASE}/.vmlinuz.hmac`]: "0123 vmlinuz\n",
      [`${EFI_PROGRAMS}/systemd-bootx64.efi`]: loaderImage("257.13-1"),
      [`${EFI_PROGRAMS}/linuxx64.efi.stub`]: stubImage("257.13-1"),
      "usr/lib/os-release": 'ID=testos\nPRETTY_NAME="Test OS"\nVERSION_ID=1.0\n',
      "etc/hostname": "testos\n",
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(image.root, path)), { recursive: true });
      writeFileSync(join(image.root, path), content);
    }
    return image;
  } catch (error) {
    image.remove();
    throw error;
  }
}

/**
 * A layout whose image is this directory.
 * @param options.words for tar: which owners and times the layer has; those of the files if absent
 * @param options.architecture of the image, as OCI names it; amd64 if absent
 */
export async function writeLayout(
  root: string,
  path: string,
  {
    words = [],
    members = [],
    architecture = "amd64",
  }: {
    readonly words?: readonly string[];
    readonly members?: readonly TarMember[];
    readonly architecture?: "amd64" | "arm64";
  } = {},
): Promise<string> {
  const layout = await OciLayout.create(path);
  const all = [
    "--create",
    "--sort=name",
    "--format=posix",
    "--pax-option=delete=atime,delete=ctime",
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include=user.*",
  ];
  const tar = spawn("tar", [...all, ...words, "--directory", root, "."], { stdio: ["ignore", "pipe", "inherit"] });
  const layers = [await putLayer(layout, tar.stdout, { compression: "gzip" })];
  if (members.length > 0) layers.push(await putLayer(layout, writeTar(members), { compression: "gzip" }));
  const config: ImageConfig = {
    architecture,
    os: "linux",
    created: "2020-09-13T12:26:40Z",
    config: { Labels: { kept: "yes" } },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created_by: "made up" })),
  };
  await layout.putManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: await layout.putConfig(config),
      layers: layers.map(({ descriptor }) => descriptor),
    },
    { tag: "plain", platform: { architecture, os: "linux" } },
  );
  return `oci:${path}:plain`;
}

/** A kernel as far as its release is read (Linux, Documentation/arch/x86/boot.rst: `header`, `kernel_version`). */
export function kernelImage(release: string): Uint8Array {
  const kernel = Buffer.from(peImage({ ".text": "x".repeat(4096) }));
  kernel.write("HdrS", 0x202, "latin1");
  kernel.writeUInt16LE(0x40, 0x20e);
  kernel.write(`${release} (made up) #1\0`, 0x200 + 0x40, "latin1");
  return kernel;
}
