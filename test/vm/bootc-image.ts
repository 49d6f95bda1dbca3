/**
 * A sealed image as bootc 1.17 makes one: the UKI names the image of version 1 and, as a fallback, that of version 2, and
 * lies in a layer of its own, as `COPY` puts it there (spec/upstream-1.17.md 1 and 2b). Only the initramfs is ours.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import { openImage } from "../../src/images/index.ts";
import { loadSigner } from "../../src/keys/index.ts";
import { MEDIA_TYPE, OciLayout, parseReference, platformOf, putLayer } from "../../src/oci/index.ts";
import { buildUki, readUki, signPe } from "../../src/pe/index.ts";
import { readSealedUki } from "../../src/seal/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { run } from "../cli/run-verb.ts";
import { imageFile, type SealedExample } from "./sealed-example.ts";

const STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

export interface BootcImage {
  /** `oci:DIRECTORY:TAG` */
  readonly reference: string;
  readonly commandLine: string;
  /** Ids of the bootable EROFS images, by version. */
  readonly v1: string;
  readonly v2: string;
}

/** Makes it of the example's image, in a layout below `directory`. */
export async function bootcImage(example: SealedExample, directory: string): Promise<BootcImage> {
  const sealed = `oci:${join(directory, "layout")}:sealed`;
  const source = `oci:${example.imageDirectory}`;
  const words = ["seal", source, "-o", sealed, "--keys", example.keysDirectory, "--erofs-version", "v1", "--json"];
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  const [v1, v2] = JSON.parse(out).images.map(({ id }: { id: string }) => id);
  const image = await openImage(parseReference(sealed));
  try {
    const uki = readUki(await readSealedUki(image));
    const named = `composefs.digest=v1-sha512-12:${v1} composefs=${v2}`;
    const [before, after] = (uki.commandLine ?? "").split(named);
    assert.equal(before, "");
    // Arguments of kargs.d come first, those of --karg last.
    const commandLine = `${after?.trim()} ${named} sealroot.test=last`;
    const { kernel, initramfs, osRelease, kernelRelease } = uki;
    assert.ok(initramfs !== undefined && osRelease !== undefined && kernelRelease !== undefined);
    const stub = await imageFile(example, STUB);
    const built = buildUki({ stub, osRelease, commandLine, kernelRelease, kernel, initramfs });
    const signed = await signPe(built, loadSigner(example.keysDirectory));
    const { config, manifest } = image;
    assert.ok(config !== undefined);
    const layout = await OciLayout.open(join(directory, "layout"));
    const layer = await putLayer(layout, writeTar(copied(`boot/EFI/Linux/${kernelRelease}.efi`, signed)), {
      compression: "zstd",
    });
    const diffIds = [...config.rootfs.diff_ids, layer.diffId];
    const { history: _, ...rest } = config;
    const descriptor = await layout.putConfig({ ...rest, rootfs: { ...config.rootfs, diff_ids: diffIds } });
    await layout.putManifest(
      {
        ...manifest,
        mediaType: MEDIA_TYPE.manifest,
        config: descriptor,
        layers: [...manifest.layers, layer.descriptor],
      },
      { tag: "bootc", platform: platformOf(config, descriptor.digest) },
    );
    return { reference: `oci:${join(directory, "layout")}:bootc`, commandLine, v1, v2 };
  } finally {
    await image.close();
  }
}

/** The file with its parents, dated as builders do: by their own clock, with a fraction of a second. */
function copied(path: string, bytes: Uint8Array): TarMember[] {
  const common = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1_790_000_000n, mtimeNanoseconds: 123_456_789 };
  const parts = path.split("/");
  const parents = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join("/"));
  return [
    ...parents.map((parent): TarMember => ({ header: { ...common, kind: "directory", path: parent as ByteString } })),
    {
      header: { ...common, mode: 0o644, kind: "file", path: byteStringOfText(path), sizeBytes: bytes.length },
      body: bytes,
    },
  ];
}
