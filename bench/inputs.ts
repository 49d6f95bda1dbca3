/** Makes what the benchmark cases work on from the example's image. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import { PARTITION_TYPE, readDiskPartitions, readEspFile } from "../src/disk/index.ts";
import { detachSignatures, findSection, parsePe, sectionContent } from "../src/pe/index.ts";
import { bootCheckCommand } from "./boot-check.ts";
import type { BenchInputs, BootInput } from "./cases.ts";
import { makePullLayouts } from "./pull-layouts.ts";
import { startBenchRegistry } from "./registry.ts";
import { SEALROOT } from "./sealroot.ts";
import { makeSyntheticTree } from "./synthetic-tree.ts";
import { makeUpdate } from "./update.ts";

/** As the layer names them. */
const STUB = "./usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const OS_RELEASE = "./usr/lib/os-release";

/**
 * Unpacks the layer, makes the synthetic tree, writes the dump files of both, takes the signature off the installed UKI,
 * makes the image's other shapes and serves one of them. The caller stops the registry.
 */
export async function prepareInputs(
  disk: SealedDisk,
  scratch: string,
  syntheticEntries: number,
): Promise<BenchInputs & { readonly entryCount: number }> {
  const tree = join(scratch, "tree");
  mkdirSync(tree);
  const layer = layerPath(disk.image.directory);
  const names = execFileSync("tar", ["--extract", "--verbose", "--file", layer, "--directory", tree, "--gzip"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const synthetic = join(scratch, "synthetic");
  makeSyntheticTree(synthetic, syntheticEntries);
  const boot = await bootInput(disk, scratch);
  const entryCount = names.split("\n").length - 1;
  const trees = [
    { label: "Debian", path: tree, dump: writeDump(tree), goals: { digest: 0.7, import: 0.7 } },
    {
      label: "synthetic",
      path: synthetic,
      dump: writeDump(synthetic),
      goals: { digest: 0.45, import: 0.5, dump: 0.7 },
    },
  ];
  const layouts = await makePullLayouts(disk.image.reference, disk.image.uncompressedBytes, scratch);
  const registry = await startBenchRegistry(layouts.tenLayers, scratch);
  const update = await makeUpdate(disk.image.reference, tree, registry.host, scratch);
  const bootCheck = await bootCheckCommand(tree, scratch);
  return { disk, trees, layouts, registry, update, boot, bootCheck, scratch, entryCount };
}

function layerPath(layout: string): string {
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const manifest = read(blob(read(join(layout, "index.json")).manifests[0].digest));
  return blob(manifest.layers[0].digest);
}

/** The tree as a composefs dump file, with SHA-256 as mkcomposefs has it. @returns its path */
export function writeDump(tree: string): string {
  const dump = `${tree}.dump`;
  const output = openSync(dump, "w");
  try {
    const words = ["repo", "create-dumpfile", "--hash", "sha256", tree];
    execFileSync(SEALROOT, words, { stdio: ["ignore", output, "inherit"] });
  } finally {
    closeSync(output);
  }
  return dump;
}

/** What the example's UKI was made of, for those who make it again; written below `scratch`. */
export async function bootInput(disk: SealedDisk, scratch: string): Promise<BootInput> {
  const unsigned = detachSignatures(await installedUki(disk));
  const taken = join(scratch, "boot-input");
  mkdirSync(taken);
  const archive = ["--gzip", "--file", layerPath(disk.image.directory), "--directory", taken];
  execFileSync("tar", ["--extract", ...archive, STUB, OS_RELEASE]);
  const image = parsePe(unsigned);
  const write = (name: string, bytes: Uint8Array) => {
    const path = join(taken, name);
    writeFileSync(path, bytes);
    return path;
  };
  const section = (name: string) => {
    const found = findSection(image, name, "UKI");
    if (found === undefined) throw new Error(`the example's UKI has no ${name}`);
    return sectionContent(image, found);
  };
  return {
    unsignedUki: write("unsigned.efi", unsigned),
    kernel: write("vmlinuz", section(".linux")),
    initramfs: write("initramfs.img", section(".initrd")),
    stub: join(taken, STUB),
    osRelease: join(taken, OS_RELEASE),
  };
}

async function installedUki(disk: SealedDisk): Promise<Uint8Array> {
  const { partitions } = await readDiskPartitions(disk.diskPath);
  const esp = partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.efiSystem);
  if (esp === undefined) throw new Error(`${disk.diskPath} has no ESP`);
  const image = `${disk.diskPath}@@${esp.startBytes}`;
  const listing = execFileSync("mdir", ["-b", "-i", image, "::/EFI/Linux/bootc"], { encoding: "utf8" });
  const path = listing.split("\n").find((line) => line.endsWith(".efi"));
  if (path === undefined) throw new Error(`${disk.diskPath} has no UKI`);
  const workDisk = { path: basename(disk.diskPath), directory: dirname(disk.diskPath) };
  return readEspFile(workDisk, esp.startBytes, path.trim().replace("::/", ""));
}
