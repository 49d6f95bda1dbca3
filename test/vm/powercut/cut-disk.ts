/**
 * A disk as a power cut leaves it: the disk before, and of what a guest wrote, everything that was flushed. What came after
 * the last flush is on the disk or is not, each sector for itself, and in any order.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { PARTITION_TYPE, readDiskPartitions } from "../../../src/disk/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { BLOCK_BYTES } from "../../../src/ext4/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import type { ReadAt } from "./ext4-reader.ts";
import type { BlockVersions } from "./verified-files.ts";

export interface Write {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

interface Part {
  readonly fd: number;
  readonly path: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** Grows with each write. */
  version: number;
}

export class CutDisk implements Disposable {
  /** Of the blocks of the root file system. */
  readonly blockVersions: BlockVersions;
  readonly #basePath: string;
  readonly #esp: Part;
  readonly #root: Part;

  private constructor(basePath: string, esp: Part, root: Part) {
    this.#basePath = basePath;
    this.#esp = esp;
    this.#root = root;
    this.blockVersions = new Uint32Array(Math.ceil(root.sizeBytes / BLOCK_BYTES));
  }

  /**
   * @param basePath the disk before anything was recorded; not changed
   * @param directory takes its two file systems, each in a file; best in memory
   */
  static async open(basePath: string, directory: string): Promise<CutDisk> {
    const { partitions } = await readDiskPartitions(basePath);
    const part = async (type: string, name: string): Promise<Part> => {
      const found = partitions.find(({ typeGuid }) => typeGuid === type);
      if (found === undefined) throw new SealrootError("not-found", `Cannot find a partition of type ${type}`);
      const { startBytes, sizeBytes } = found;
      const path = join(directory, name);
      await copyRange(basePath, startBytes, sizeBytes, path);
      return { fd: openSync(path, "r+"), path, startBytes, sizeBytes, version: 0 };
    };
    const esp = await part(PARTITION_TYPE.efiSystem, "esp.img");
    return new CutDisk(basePath, esp, await part(PARTITION_TYPE.rootX8664, "root.img"));
  }

  get espPath(): string {
    return this.#esp.path;
  }

  /** Equal while nothing was written there. */
  get rootVersion(): number {
    return this.#root.version;
  }

  readonly readEsp: ReadAt = (offset, size) => readFrom(this.#esp, offset, size);

  isOfEsp(write: Write): boolean {
    const [start, end] = overlap(write, this.#esp);
    return start < end;
  }

  /** Writes outside the two file systems (nothing of ours makes any) are left out. */
  apply(write: Write): void {
    for (const part of [this.#esp, this.#root]) {
      const [start, end] = overlap(write, part);
      if (start >= end) continue;
      const bytes = write.bytes.subarray(start - write.offsetBytes, end - write.offsetBytes);
      writeSync(part.fd, bytes, 0, bytes.length, start - part.startBytes);
      part.version++;
      if (part === this.#root) this.#touch(start - part.startBytes, bytes.length);
    }
  }

  /** Applies writes that may not stay. @returns takes them back */
  tryOut(writes: readonly Write[]): () => void {
    const before = writes.map(({ offsetBytes, bytes }) => ({
      offsetBytes,
      bytes: this.#read(offsetBytes, bytes.length),
    }));
    for (const write of writes) this.apply(write);
    return () => {
      for (const write of before.reverse()) this.apply(write);
    };
  }

  /** A copy of the root file system whose journal e2fsck may replay. */
  async copyRoot(path: string): Promise<void> {
    await runTool("cp", ["--sparse=auto", this.#root.path, path]);
  }

  /** The whole disk, to be booted. */
  async copyDisk(path: string): Promise<void> {
    await runTool("cp", ["--sparse=always", this.#basePath, path]);
    for (const part of [this.#esp, this.#root]) {
      const place = [`of=${path}`, "bs=1M", `seek=${part.startBytes}`, "oflag=seek_bytes", "conv=notrunc,sparse"];
      // A hole of the copy may be a written block of the base, so zeros are written there first.
      await runTool("fallocate", ["-p", "-o", String(part.startBytes), "-l", String(part.sizeBytes), path]);
      await runTool("dd", [`if=${part.path}`, ...place, "status=none"]);
    }
  }

  [Symbol.dispose](): void {
    for (const { fd } of [this.#esp, this.#root]) closeSync(fd);
  }

  #read(offsetBytes: number, sizeBytes: number): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    for (const part of [this.#esp, this.#root]) {
      const [start, end] = overlap({ offsetBytes, bytes }, part);
      if (start < end) readFrom(part, start - part.startBytes, end - start).copy(bytes, start - offsetBytes);
    }
    return bytes;
  }

  #touch(offset: number, sizeBytes: number): void {
    const last = Math.floor((offset + sizeBytes - 1) / BLOCK_BYTES);
    for (let block = Math.floor(offset / BLOCK_BYTES); block <= last; block++) {
      this.blockVersions[block] = (this.blockVersions[block] ?? 0) + 1;
    }
  }
}

function overlap({ offsetBytes, bytes }: Write, { startBytes, sizeBytes }: Part): [number, number] {
  return [Math.max(offsetBytes, startBytes), Math.min(offsetBytes + bytes.length, startBytes + sizeBytes)];
}

function readFrom({ fd }: Pick<Part, "fd">, offset: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  readSync(fd, bytes, 0, sizeBytes, offset);
  return bytes;
}

async function copyRange(path: string, startBytes: number, sizeBytes: number, target: string): Promise<void> {
  const input = [`if=${path}`, `skip=${startBytes}`, `count=${sizeBytes}`, "iflag=skip_bytes,count_bytes"];
  await runTool("dd", [...input, `of=${target}`, "bs=1M", "conv=sparse", "status=none"]);
  await runTool("truncate", ["-s", String(sizeBytes), target]);
}
