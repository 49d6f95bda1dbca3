/** Makes what the benchmark cases work on from the example's image. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import { PARTITION_TYPE, readDiskPartitions, readEspFile } from "../src/disk/index.ts";
import { detachSignatures } from "../src/pe/index.ts";
import { bootCheckCommand } from "./boot-check.ts";
import { type BenchInputs, counterpart } from "./cases.ts";
import { makePullLayouts } from "./pull-layouts.ts";
import { startBenchRegistry } from "./registry.ts";
import { makeSyntheticTree } from "./synthetic-tree.ts";
import { makeUpdate } from "./update.ts";

export const SYNTHETIC_ENTRIES = 300_000;

/**
 * Unpacks the layer, makes the synthetic tree, writes the dump files of both, takes the signature off the installed UKI,
 * makes the image's other shapes and serves one of them. The caller stops the registry.
 */
export async function prepareInputs(
  disk: SealedDisk,
  scratch: string,
): Promise<BenchInputs & { readonly entryCount: number }> {
  const tree = join(scratch, "tree");
  mkdirSync(tree);
  const layer = layerPath(disk.image.directory);
  const names = execFileSync("tar", ["--extract", "--verbose", "--file", layer, "--directory", tree, "--gzip"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const synthetic = join(scratch, "synthetic");
  makeSyntheticTree(synthetic, SYNTHETIC_ENTRIES);
  const unsignedUki = join(scratch, "unsigned.efi");
  writeFileSync(unsignedUki, detachSignatures(await installedUki(disk)));
  const entryCount = names.split("\n").length - 1;
  const trees = [
    { label: "Debian", path: tree, dump: writeDump(tree) },
    { label: "synthetic", path: synthetic, dump: writeDump(synthetic) },
  ];
  const layouts = await makePullLayouts(disk.image.reference, disk.image.uncompressedBytes, scratch);
  const registry = await startBenchRegistry(layouts.tenLayers, scratch);
  const update = await makeUpdate(disk.image.reference, tree, registry.host, scratch);
  const bootCheck = await bootCheckCommand(tree, scratch);
  return { disk, trees, layouts, registry, update, unsignedUki, bootCheck, scratch, entryCount };
}

function layerPath(layout: string): string {
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const manifest = read(blob(read(join(layout, "index.json")).manifests[0].digest));
  return blob(manifest.layers[0].digest);
}

/** The dump file of the tree, where there is a tool that writes one. */
function writeDump(tree: string): string | undefined {
  const cfsctl = counterpart("cfsctl");
  if (cfsctl === undefined) return undefined;
  const dump = `${tree}.dump`;
  const output = openSync(dump, "w");
  try {
    execFileSync(cfsctl, ["--hash", "sha256", "create-dumpfile", tree], { stdio: ["ignore", output, "inherit"] });
  } finally {
    closeSync(output);
  }
  return dump;
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
