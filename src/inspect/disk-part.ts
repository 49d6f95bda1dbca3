/** Disks: partitions and how full they are, the ESP with its programs and entries, the deployments. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { parseBootEntry } from "../bls/index.ts";
import { fallbackLoaderPath } from "../bootloader/index.ts";
import { LUKS_SLOT_TEXT } from "../bootplan/index.ts";
import { byteStringOfText, displayText } from "../bytes/index.ts";
import { isDeploymentId, originPath, parseOrigin } from "../deployment/index.ts";
import {
  Ext4Tree,
  type FatReader,
  PARTITION_TYPE,
  type Partition,
  readDiskPartitions,
  readEncryptedPartition,
  readEspPartition,
  readRootPartition,
  refuseQcow2,
} from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import { entryMeasurementParts } from "./measurement-part.ts";
import { type Part, PartDraft } from "./part.ts";
import { programPart } from "./program-part.ts";

const TYPE_NAMES: Readonly<Record<string, string>> = {
  [PARTITION_TYPE.biosBoot]: "BIOS boot",
  [PARTITION_TYPE.efiSystem]: "EFI system",
  [PARTITION_TYPE.rootX8664]: "root (x86-64)",
  [PARTITION_TYPE.rootArm64]: "root (arm64)",
  "bc13c2ff-59e6-4262-a352-b275fd6f7172": "extended boot",
  "4d21b016-b534-45c2-a9fb-5c16e091fd2d": "var",
  "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "home",
  "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "swap",
  "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux data",
};
/** By what is at an offset of a partition (blkid's probes; SWAPSPACE2 is at the end of a page of 4 KiB). */
const FILE_SYSTEMS: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ["ext4", 0x438, "\x53\xef"],
  ["xfs", 0, "XFSB"],
  ["btrfs", 0x10040, "_BHRfS_M"],
  ["LUKS", 0, "LUKS\xba\xbe"],
  ["swap", 0xff6, "SWAPSPACE2"],
  ["EROFS", 0x400, "\xe2\xe1\xf5\xe0"],
  ["FAT", 0x1fe, "\x55\xaa"],
];
/** More than any UKI, and than any entry or origin file. */
const PROGRAM_MAX_BYTES = 2 ** 30;
const TEXT_MAX_BYTES = 1 << 20;
/** A disk is for one architecture. */
const LOADERS = ["x64", "aa64"].map((architecture) => fallbackLoaderPath(architecture).split("/"));
/** No deeper than any path of UEFI; a loop in a broken FAT ends here. */
const ESP_DEPTH_MAX = 16;

/** A disk file, or a device that the caller may read. It is read as it is: while it is written, that may not add up. */
export async function diskPart(path: string): Promise<Part> {
  const draft = new PartDraft("disk", path);
  const fd = openSync(path, "r");
  try {
    draft.attempt(() => draft.fact("sizeBytes", statSync(path).isFile() ? statSync(path).size : undefined));
    draft.attempt(() => refuseQcow2(fd, path));
    await draft.attemptAsync(async () => {
      const { diskGuid, partitions } = await readDiskPartitions(path);
      draft.fact("diskGuid", diskGuid);
      for (const partition of partitions) draft.add(await partitionPart(fd, partition));
    });
    return draft.finish();
  } finally {
    closeSync(fd);
  }
}

async function partitionPart(fd: number, partition: Partition): Promise<Part> {
  const { number, name, typeGuid, guid, startBytes, sizeBytes } = partition;
  const draft = new PartDraft("partition", name === "" ? String(number) : `${number} ${name}`);
  draft.fact("type", TYPE_NAMES[typeGuid] ?? typeGuid).fact("guid", guid);
  draft.fact("startBytes", startBytes).fact("sizeBytes", sizeBytes);
  const fileSystem = FILE_SYSTEMS.find(
    ([, offset, magic]) => textAt(fd, startBytes + offset, magic.length) === magic,
  )?.[0];
  draft.fact("fileSystem", fileSystem ?? "unknown");
  if (fileSystem === "ext4") draft.attempt(() => addRoot(draft, fd, partition));
  if (fileSystem === "LUKS") draft.attempt(() => addEncryption(draft, fd, partition));
  if (fileSystem === "FAT") await draft.attemptAsync(() => addEsp(draft, readEspPartition(fd, partition)));
  return draft.finish();
}

function addEncryption(draft: PartDraft, fd: number, partition: Partition): void {
  const volume = readEncryptedPartition(fd, partition);
  if (volume === undefined) return;
  draft.fact("encryption", `LUKS2, ${volume.cipher}, sectors of ${volume.sectorBytes} bytes`);
  draft.fact("volume", volume.uuid);
  draft.fact(
    "keySlots",
    volume.slots.map(({ number, use }) => `${number} ${LUKS_SLOT_TEXT[use]}`),
  );
}

function addRoot(draft: PartDraft, fd: number, partition: Partition): void {
  const reader = readRootPartition(fd, partition);
  const { blockBytes, blockCount, freeBlocks, inodeCount, freeInodes, unclean } = reader.superblock;
  draft.fact("usedBytes", (blockCount - freeBlocks) * blockBytes).fact("freeBytes", freeBlocks * blockBytes);
  draft.fact("usedInodes", inodeCount - freeInodes).fact("freeInodes", freeInodes);
  draft.fact("state", unclean ?? "clean");
  const tree = new Ext4Tree(reader);
  draft.attempt(() => {
    const images = namesIn(tree, "composefs/images").filter(isDeploymentId);
    if (images.length > 0) draft.fact("images", images);
  });
  draft.attempt(() => {
    for (const id of namesIn(tree, "state/deploy").filter(isDeploymentId)) draft.add(deploymentPart(tree, id));
  });
}

function namesIn(tree: Ext4Tree, path: string): string[] {
  const file = tree.find(byteStringOfText(path));
  return file?.kind === "directory" ? [...tree.names(file).keys()].map(displayText).sort() : [];
}

function deploymentPart(tree: Ext4Tree, id: string): Part {
  const draft = new PartDraft("deployment", id);
  return draft
    .attempt(() => {
      const path = originPath(id);
      const file = tree.find(byteStringOfText(path));
      if (file?.kind !== "file") throw new SealrootError("not-found", `Cannot read ${path}: there is no such file`);
      const origin = parseOrigin(Buffer.from(tree.reader.bytes(file, TEXT_MAX_BYTES)).toString("utf8"), path);
      draft.fact("image", origin.imageReference).fact("manifestDigest", origin.manifestDigest);
      draft.fact("bootType", origin.bootType).fact("bootDigest", origin.bootDigest).fact("pinned", origin.pinned);
    })
    .finish();
}

/** Every file counts for the fill; programs and entries are parts of their own. */
async function addEsp(draft: PartDraft, esp: FatReader): Promise<void> {
  let [files, usedBytes] = [0, 0];
  const pending: string[][] = [[]];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    for (const { name, isDirectory, sizeBytes } of esp.list(path) ?? []) {
      if (name === "." || name === "..") continue;
      const below = [...path, name];
      if (isDirectory) {
        if (below.length < ESP_DEPTH_MAX) pending.push(below);
        continue;
      }
      files++;
      usedBytes += sizeBytes;
      const part = await espFilePart(esp, below);
      if (part !== undefined) draft.add(part);
    }
  }
  draft.fact("usedBytes", usedBytes).fact("files", files);
}

async function espFilePart(esp: FatReader, path: readonly string[]): Promise<Part | undefined> {
  const name = `/${path.join("/")}`;
  const lower = name.toLowerCase();
  const isEntry = lower.startsWith("/loader/entries/") && lower.endsWith(".conf");
  if (!isEntry && !lower.endsWith(".efi")) return undefined;
  const draft = new PartDraft(isEntry ? "boot entry" : "EFI program", name);
  try {
    const bytes = esp.read(path, isEntry ? TEXT_MAX_BYTES : PROGRAM_MAX_BYTES) ?? new Uint8Array();
    return isEntry ? entryPart(draft, Buffer.from(bytes).toString("utf8"), name, esp) : await programPart(bytes, name);
  } catch (error) {
    return draft
      .attempt(() => {
        throw error;
      })
      .finish();
  }
}

function entryPart(draft: PartDraft, text: string, name: string, esp: FatReader): Part {
  return draft
    .attempt(() => {
      const { title, version, sortKey, target, options } = parseBootEntry(text, `boot entry ${name}`);
      draft.fact("title", title).fact("version", version).fact("sortKey", sortKey);
      if (target.type === "uki") draft.fact(target.key, target.path);
      else draft.fact("linux", target.linux).fact("initrd", target.initrd);
      draft.fact("options", options);
      const [loader] = LOADERS.flatMap((path) => esp.read(path, PROGRAM_MAX_BYTES) ?? []);
      if (target.type === "uki" && loader !== undefined) draft.add(...entryMeasurementParts(esp, loader, target.path));
    })
    .finish();
}

function textAt(fd: number, offset: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString("latin1", 0, readSync(fd, bytes, 0, length, offset));
}
