/** UKIs made by a test from the example's parts and signed with its key: what the sealer did, done otherwise. */
import assert from "node:assert/strict";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { joinInitramfs, readCpio, writeCpio } from "../../src/cpio/index.ts";
import { loadSigner } from "../../src/keys/index.ts";
import { buildUki, readUki, signPe } from "../../src/pe/index.ts";
import type { SealedRoot } from "../../src/seal/initramfs/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { otherImage } from "./other-image.ts";
import { imageFile, objectPath, type SealedExample } from "./sealed-example.ts";

const BASE = "usr/lib/sealroot";
const STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/** The parts that a test may replace. */
export interface UkiChanges {
  readonly commandLine?: string;
  readonly initramfs?: Uint8Array;
  readonly kernel?: Uint8Array;
  readonly kernelRelease?: string;
}

/** Signs a UKI out of the example's parts, and puts it in the place of the example's. */
export async function replaceUki(example: SealedExample, disk: DiskCopy, changes: UkiChanges): Promise<void> {
  const {
    kernel,
    kernelRelease = "",
    osRelease,
    initramfs,
    commandLine,
  } = readUki(await disk.readEsp(example.ukiPath));
  assert.ok(osRelease !== undefined && initramfs !== undefined && commandLine !== undefined);
  const stub = await imageFile(example, STUB);
  const uki = buildUki({ stub, osRelease, kernel, kernelRelease, initramfs, commandLine, ...changes });
  await disk.writeEsp(example.ukiPath, await signPe(uki, loadSigner(example.keysDirectory)));
}

/** The example's initramfs with other contents of files of ours, by their names below our directory. */
export async function initramfsWith(
  example: SealedExample,
  disk: DiskCopy,
  contents: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const { initramfs = new Uint8Array() } = readUki(await disk.readEsp(example.ukiPath));
  const entries = Object.entries(contents).map(
    ([name, text]) =>
      ({ kind: "file", path: byteStringOfText(`${BASE}/${name}`), mode: 0o644, bytes: Buffer.from(text) }) as const,
  );
  // Of two entries of one name, the later one counts.
  return joinInitramfs(initramfs, writeCpio(entries));
}

/** A root image that is not the sealed one, and its digest. */
export const OTHER_IMAGE = otherImage();
export const OTHER_ID = verityDigest(OTHER_IMAGE, "sha512");

/** Puts the other image beside the sealed one, whole and with fs-verity, under its own name. */
export async function addOtherImage(disk: DiskCopy): Promise<void> {
  await disk.replace(objectPath(OTHER_ID), OTHER_IMAGE, "with-verity");
  await disk.symlink(`/composefs/images/${OTHER_ID}`, `../objects/${OTHER_ID.slice(0, 2)}/${OTHER_ID.slice(2)}`);
}

/**
 * Signs a UKI that names two images, as bootc does since 1.16.14: the sealed one, and the other one, which is added.
 * @returns its command line
 */
export async function replaceWithTwoImages(example: SealedExample, disk: DiskCopy): Promise<string> {
  const two = `composefs.digest=v1-sha512-12:${example.deploymentId} composefs=${OTHER_ID}`;
  const commandLine = example.commandLine.replace(`composefs=${example.deploymentId}`, two);
  await replaceUki(example, disk, { commandLine, initramfs: await initramfsWith(example, disk, { permit: two }) });
  await addOtherImage(disk);
  return commandLine;
}

/** What the example's initramfs knows about its root. */
export async function sealedRootOf(example: SealedExample): Promise<SealedRoot> {
  const disk = await DiskCopy.make(example.diskPath);
  const { initramfs = new Uint8Array() } = readUki(await disk.readEsp(example.ukiPath));
  await disk.remove();
  const entries = new Map(readCpio(initramfs).entries.map((entry) => [entry.path as string, entry]));
  const content = (name: string): Buffer => {
    const entry = entries.get(`${BASE}/${name}`);
    assert.equal(entry?.kind, "file", name);
    return Buffer.from(entry.bytes);
  };
  return {
    permit: content("permit").toString(),
    objectIds:
      content("objects")
        .toString("hex")
        .match(/.{128}/g) ?? [],
  };
}
