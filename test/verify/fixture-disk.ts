/** A small sealed disk, and what an attacker or an accident does to copies of it. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandLine } from "../../src/bls/index.ts";
import { formatPermit } from "../../src/bootplan/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type CpioEntry, writeCpio } from "../../src/cpio/index.ts";
import { PARTITION_TYPE, readDiskPartitions } from "../../src/disk/index.ts";
import { installToDisk } from "../../src/install/index.ts";
import { objectPath } from "../../src/tree/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { baseFiles, type ImageFile, type SealOptions, sealImage } from "../install/sealed-image.ts";

const MIB = 1024 * 1024;

/** The content of `usr/bin/tool`: an object with a Merkle tree of two levels. */
export const TOOL = Buffer.alloc(300_000, "tool");
export const TOOL_OBJECT = `composefs/objects/${objectPath(verityDigest(TOOL, "sha512"))}`;

/** An initramfs as far as anything looks at it without starting it. */
export function initramfsOf(files: Readonly<Record<string, string>>): Uint8Array {
  const folders = new Set<string>();
  for (const path of Object.keys(files)) {
    for (const folder of foldersAbove(path)) folders.add(folder);
  }
  const directories = [...folders]
    .sort()
    .map((path): CpioEntry => ({ kind: "directory", path: byteStringOfText(path), mode: 0o755 }));
  const entries = Object.entries(files).map(
    ([path, text]): CpioEntry => ({
      kind: "file",
      path: byteStringOfText(path),
      mode: 0o644,
      bytes: Buffer.from(text),
    }),
  );
  return writeCpio([...directories, ...entries]);
}

/** `a`, `a/b` of `a/b/c`. */
function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** As seal makes it: our program and the permit. */
export function sealedInitramfs(commandLine: string, more: Readonly<Record<string, string>> = {}): Uint8Array {
  return initramfsOf({
    "usr/lib/sealroot/program/main.js": "program",
    "usr/lib/sealroot/permit": formatPermit(CommandLine.parse(commandLine)),
    ...more,
  });
}

export interface FixtureDisk {
  readonly path: string;
  readonly reference: string;
  readonly deploymentId: string;
}

/** Keeps everything in one folder, which {@link FixtureDisks[Symbol.dispose]} removes. */
export class FixtureDisks implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "sealroot-verify-"));
  #count = 0;

  /** A new folder. */
  folder(): string {
    const path = join(this.directory, String(this.#count++));
    mkdirSync(path);
    return path;
  }

  async make(
    files: readonly ImageFile[] = baseFiles(),
    seal: SealOptions = {},
    addonNames: readonly string[] = [],
  ): Promise<FixtureDisk> {
    const directory = this.folder();
    const options = { initramfs: (commandLine: string) => sealedInitramfs(commandLine), ...seal };
    const { reference, deploymentId } = await sealImage(directory, files, options);
    const path = join(directory, "disk.img");
    await installToDisk({
      target: path,
      source: reference,
      registry: undefined,
      sizeBytes: 192 * MIB,
      espSizeBytes: 64 * MIB,
      wipe: false,
      targetName: "quay.io/example/os:latest",
      targetTransport: "registry",
      addonNames,
      allowMissingVerity: true,
      sourceDateEpoch: 1_700_000_000,
      events: () => {},
    });
    return { path, reference, deploymentId };
  }

  async copyOf({ path }: FixtureDisk): Promise<PlantedDisk> {
    const copy = join(this.folder(), "disk.img");
    const { status, stderr } = spawnSync("cp", ["--sparse=always", "--reflink=auto", path, copy], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    const { partitions } = await readDiskPartitions(copy);
    const [esp, root] = [PARTITION_TYPE.efiSystem, PARTITION_TYPE.rootX8664].map((type) =>
      partitions.find(({ typeGuid }) => typeGuid === type),
    );
    if (esp === undefined || root === undefined) throw new Error("a partition is missing");
    return new PlantedDisk(copy, esp.startBytes, root.startBytes);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const BLOCK_BYTES = 4096;

/** A disk that is changed behind sealroot's back, with the tools of mtools and e2fsprogs. */
export class PlantedDisk {
  readonly path: string;
  readonly #esp: string;
  readonly #root: string;
  readonly #rootBytes: number;

  constructor(path: string, espBytes: number, rootBytes: number) {
    this.path = path;
    this.#esp = `${path}@@${espBytes}`;
    this.#root = `${path}?offset=${rootBytes}`;
    this.#rootBytes = rootBytes;
  }

  /** @param path from the root of the ESP, without leading slash */
  readEsp(path: string): Buffer {
    const { status, stdout, stderr } = spawnSync("mtype", ["-i", this.#esp, `::/${path}`], { maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(String(stderr));
    return stdout;
  }

  listEsp(folder: string): string[] {
    const { stdout } = spawnSync("mdir", ["-b", "-i", this.#esp, `::/${folder}`], { encoding: "utf8" });
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.slice(line.lastIndexOf("/") + 1)]));
  }

  writeEsp(path: string, content: string | Uint8Array): void {
    // Those that are there are skipped.
    for (const folder of foldersAbove(path)) spawnSync("mmd", ["-i", this.#esp, `::/${folder}`], { input: "s\n" });
    const file = `${this.path}.new`;
    writeFileSync(file, content);
    tool("mcopy", "-o", "-i", this.#esp, file, `::/${path}`);
    rmSync(file);
  }

  removeEsp(path: string): void {
    tool("mdel", "-i", this.#esp, `::/${path}`);
  }

  /** Changes one byte of a file of the ESP. */
  flipEsp(path: string, offset: number): void {
    const bytes = this.readEsp(path);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    this.writeEsp(path, bytes);
  }

  /** Runs commands of debugfs(8) on the root file system. */
  debugfs(...commands: readonly string[]): string {
    const script = `${this.path}.debugfs`;
    writeFileSync(script, commands.map((command) => `${command}\n`).join(""));
    const { stdout, stderr } = spawnSync("debugfs", ["-w", "-f", script, this.#root], { encoding: "utf8" });
    rmSync(script);
    const failures = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("debugfs 1."));
    if (failures.length > 0) throw new Error(failures.join("\n"));
    return stdout;
  }

  /** Changes one byte of a file of the root, also one behind its end, where fs-verity's data are. */
  flipRoot(path: string, offset: number): void {
    const answer = this.debugfs(`bmap /${path} ${Math.floor(offset / BLOCK_BYTES)}`);
    const block = Number(/^(\d+)/m.exec(answer)?.[1] ?? 0);
    if (block === 0) throw new Error(`${path} has no block at ${offset}: ${answer}`);
    this.flip(this.#rootBytes + block * BLOCK_BYTES + (offset % BLOCK_BYTES));
  }

  /** Changes what a partition is said to be. */
  setPartitionType(number: number, type: string): void {
    tool("sfdisk", "-q", "--no-tell-kernel", "--part-type", this.path, String(number), type);
  }

  /** Gives a partition another name for machines. */
  setPartitionGuid(number: number, guid: string): void {
    tool("sfdisk", "-q", "--no-tell-kernel", "--part-uuid", this.path, String(number), guid);
  }

  flip(position: number): void {
    const fd = openSync(this.path, "r+");
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, position);
    byte.writeUInt8(byte.readUInt8(0) ^ 1);
    writeSync(fd, byte, 0, 1, position);
    closeSync(fd);
  }
}

function tool(name: string, ...words: readonly string[]): void {
  const { status, stderr } = spawnSync(name, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
}
