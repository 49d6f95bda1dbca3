/** UKIs made by a test from the example's parts and signed with its key: what the sealer did, done otherwise. */
import assert from "node:assert/strict";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { joinInitramfs, readCpio, writeCpio } from "../../src/cpio/index.ts";
import { loadSigner } from "../../src/keys/index.ts";
import { buildUki, readUki, signPe } from "../../src/pe/index.ts";
import type { SealedRoot } from "../../src/seal/initramfs/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { imageFile, type SealedExample } from "./sealed-example.ts";

const BASE = "usr/lib/sealroot";
const STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/** The parts that a test may replace. */
export interface UkiChanges {
  readonly commandLine?: string;
  readonly initramfs?: Uint8Array;
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
