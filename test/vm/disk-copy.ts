/** A copy of a sealed disk that a test damages offline, as an attacker with the disk in his hands would. */
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PARTITION_TYPE, readDiskPartitions } from "../../src/disk/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { ext4VerityTail, VerityHasher } from "../../src/verity/index.ts";

const BLOCK_BYTES = 4096;

/** ext4 inode flags (Linux fs/ext4/ext4.h): extents, and extents with fs-verity. */
const FLAGS_PLAIN = "0x80000";
const FLAGS_VERITY = "0x180000";

/** Lines of debugfs on standard error that are not complaints. */
const DEBUGFS_BANNER = /^debugfs \d/;

/** Paths in the root file system are absolute, those in the ESP have no leading slash. */
export class DiskCopy {
  readonly path: string;
  readonly #directory: TemporaryDirectory;
  readonly #espBytes: number;
  readonly #rootBytes: number;

  private constructor(directory: TemporaryDirectory, espBytes: number, rootBytes: number) {
    this.#directory = directory;
    this.path = join(directory.path, "disk.img");
    this.#espBytes = espBytes;
    this.#rootBytes = rootBytes;
  }

  /** Copies a disk that no guest has ever written to: an unreplayed journal would undo the damage. */
  static async make(source: string): Promise<DiskCopy> {
    const directory = temporaryDirectory({ purpose: "test" });
    await runTool("cp", ["--sparse=always", source, join(directory.path, "disk.img")]);
    const { partitions } = await readDiskPartitions(source);
    const start = (type: string): number => {
      const found = partitions.find((partition) => partition.typeGuid === type);
      if (found === undefined) throw new SealrootError("not-found", `Cannot find a partition of type ${type}`);
      return found.startBytes;
    };
    return new DiskCopy(directory, start(PARTITION_TYPE.efiSystem), start(PARTITION_TYPE.rootX8664));
  }

  async remove(): Promise<void> {
    this.#directory.remove();
  }

  /** Content of a file in the ESP. */
  async readEsp(path: string): Promise<Buffer> {
    return (await this.#mtools("mtype", [`::/${path}`])).stdout;
  }

  /** Names in a directory of the ESP. */
  async listEsp(path: string): Promise<readonly string[]> {
    const { stdout } = await this.#mtools("mdir", ["-b", `::/${path}`]);
    return stdout
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.slice(line.lastIndexOf("/") + 1));
  }

  /** Replaces a file in the ESP. */
  async writeEsp(path: string, bytes: Uint8Array): Promise<void> {
    const source = join(this.#directory.path, "esp-file");
    await writeFile(source, bytes);
    await this.#mtools("mcopy", ["-o", source, `::/${path}`]);
  }

  /** Takes a file off the ESP. */
  async removeEsp(path: string): Promise<void> {
    await this.#mtools("mdel", [`::/${path}`]);
  }

  /** Makes a directory in the ESP, whose parent exists; one that is there stays. */
  async makeEspDirectory(path: string): Promise<void> {
    await this.#mtools("mmd", ["-D", "s", `::/${path}`]);
  }

  /** Gives a file in the ESP another name, in the same directory. */
  async renameEsp(path: string, newPath: string): Promise<void> {
    await this.#mtools("mren", [`::/${path}`, `::/${newPath}`]);
  }

  /** Inverts the lowest bit of one byte of a file in the root file system; neither its size nor its flags change. */
  async flipByte(path: string, offset: number): Promise<void> {
    const block = Number(await this.#debugfs([`bmap ${path} ${Math.floor(offset / BLOCK_BYTES)}`]));
    if (!(block > 0)) throw new SealrootError("not-found", `Cannot damage ${path}: nothing stored at offset ${offset}`);
    const position = this.#rootBytes + block * BLOCK_BYTES + (offset % BLOCK_BYTES);
    const disk = await open(this.path, "r+");
    try {
      const byte = Buffer.alloc(1);
      await disk.read(byte, 0, 1, position);
      await disk.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, position);
    } finally {
      await disk.close();
    }
  }

  /** Takes the verity flag off a file. */
  async clearVerity(path: string): Promise<void> {
    await this.#debugfs([`sif ${path} flags ${FLAGS_PLAIN}`]);
  }

  /** Writes a file, in the place of another one if there is one, with a true fs-verity digest or without. */
  async replace(path: string, bytes: Uint8Array, verity: "with-verity" | "without-verity"): Promise<void> {
    const source = join(this.#directory.path, "new-file");
    await writeFile(source, bytes);
    if (verity === "with-verity") await appendVerity(source, bytes);
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    await this.#debugfs([
      `cd ${path.slice(0, slash)}`,
      ...((await this.#exists(path)) ? [`rm ${name}`] : []),
      `write ${source} ${name}`,
      `sif ${name} size ${bytes.length}`,
      `sif ${name} mode 0100444`,
      `sif ${name} flags ${verity === "with-verity" ? FLAGS_VERITY : FLAGS_PLAIN}`,
    ]);
  }

  /** Makes a directory, whose parent exists; one that is there stays. */
  async makeDirectory(path: string): Promise<void> {
    if (!(await this.#exists(path))) await this.#debugfs([`mkdir ${path}`]);
  }

  async symlink(path: string, target: string): Promise<void> {
    await this.#debugfs([`symlink ${path} ${target}`]);
  }

  /** Takes a name away. */
  async unlink(path: string): Promise<void> {
    await this.#debugfs([`unlink ${path}`]);
  }

  async #exists(path: string): Promise<boolean> {
    const names = await this.#debugfs([`ls -p ${path.slice(0, path.lastIndexOf("/"))}`]);
    return names.split("\n").some((line) => line.split("/")[5] === path.slice(path.lastIndexOf("/") + 1));
  }

  #mtools(tool: string, args: readonly string[]) {
    const env = { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" };
    return runTool(tool, ["-i", `${this.path}@@${this.#espBytes}`, ...args], { env });
  }

  /** Returns what the requests printed. debugfs itself says 0 even when a request fails. */
  async #debugfs(requests: readonly string[]): Promise<string> {
    const script = join(this.#directory.path, "requests");
    await writeFile(script, `${requests.join("\n")}\n`);
    const { stdout, stderr } = await runTool("debugfs", ["-w", "-f", script, `${this.path}?offset=${this.#rootBytes}`]);
    const complaints = stderr.split("\n").filter((line) => line !== "" && !DEBUGFS_BANNER.test(line));
    if (complaints.length > 0) throw new SealrootError("failed", `Cannot damage the disk: ${complaints.join(" | ")}`);
    return stdout
      .toString()
      .split("\n")
      .filter((line) => !line.startsWith("debugfs: "))
      .join("\n");
  }
}

/** Appends the metadata that ext4 wants after a verity file's data (spec/boot-chain.md A). */
async function appendVerity(path: string, bytes: Uint8Array): Promise<void> {
  const hasher = new VerityHasher("sha512", { keepTree: true });
  hasher.update(bytes);
  const tail = ext4VerityTail(hasher);
  const file = await open(path, "r+");
  try {
    await file.write(tail.bytes, 0, tail.bytes.length, tail.offset);
  } finally {
    await file.close();
  }
}
