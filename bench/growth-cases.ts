/** What is measured at each size. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import { type Attempt, type BenchCase, counterpart } from "./bench-case.ts";
import { makeGrowthImage } from "./growth-layer.ts";
import { bootInput, writeDump } from "./inputs.ts";
import { erofsCase, RepositoryPair, treeCases, unpackers } from "./repository-cases.ts";
import { SEALROOT, sealroot } from "./sealroot.ts";
import { makeSyntheticTree } from "./synthetic-tree.ts";
import { installCase, sealCase } from "./system-cases.ts";

export interface GrowthCase {
  readonly cases: readonly (BenchCase & { readonly chart: string; readonly unit: string })[];
  /** To be removed when they have been measured. */
  readonly made: readonly string[];
}

/** For the synthetic tree of so many entries. */
export function fileCases(entries: number, scratch: string): GrowthCase {
  const label = `${entries} files`;
  const pair = new RepositoryPair(scratch, label);
  const tree = join(scratch, "tree");
  makeSyntheticTree(tree, entries);
  const dump = writeDump(tree);
  const [digest, store, check] = treeCases({ label, path: tree, dump, goals: { digest: 1, import: 1 } }, scratch);
  if (digest === undefined || store === undefined || check === undefined) throw new Error("unreachable: no such cases");
  const image = join(scratch, "ext4.img");
  const mke2fs = counterpart("mke2fs -d", ["mke2fs"], (program = "") => ({
    passing: [image],
    command: {
      program,
      args: [
        ...["-q", "-t", "ext4", "-N", String(Math.ceil(entries * 1.1)), "-d", tree],
        ...[image, `${entries * 8 + 100_000}K`],
      ],
    },
  }));
  const unit = "files";
  return {
    cases: [
      { chart: "boot digest of a directory", unit, ...digest },
      { chart: "directory into an image", unit, ...store, counterparts: [...(store.counterparts ?? []), mke2fs] },
      { chart: "check of that repository (fsck)", unit, ...check },
      { chart: "dump text into an image", unit, ...erofsCase(label, dump, scratch) },
    ],
    made: [tree, dump, pair.ours, pair.theirs, join(scratch, "ours.erofs"), join(scratch, "theirs.erofs")],
  };
}

/** For an image of one gzip layer. */
export async function byteCases(bytes: number, inputs: string, scratch: string): Promise<GrowthCase> {
  const layout = join(inputs, "layers");
  const { reference } = await makeGrowthImage(layout, bytes);
  const pair = new RepositoryPair(scratch, "grown");
  const pull = pair.writing(
    sealroot("image", "pull", "--repo", pair.ours, reference, "bench"),
    {},
    ...["oci", "pull", reference, "bench"],
  );
  // Every side's result goes before the next one begins: there is no room for all.
  const cfsctl = (pull.counterparts ?? []).map((other) =>
    "attempt" in other ? { ...other, attempt: passing(other.attempt) } : other,
  );
  const [umoci] = unpackers(reference, scratch);
  return {
    cases: [
      {
        chart: "pull of a gzip layer",
        unit: "bytes, unpacked",
        name: `pull a layer of ${bytes} bytes`,
        ours: passing(pull.ours),
        counterparts: umoci === undefined ? cfsctl : [...cfsctl, umoci],
      },
    ],
    made: [layout],
  };
}

function passing({ fresh = [], ...attempt }: Attempt): Attempt {
  return { ...attempt, passing: fresh };
}

/** For the example with a layer of so many bytes above it. */
export async function systemCases(
  disk: SealedDisk,
  bytes: number,
  inputs: string,
  scratch: string,
): Promise<GrowthCase> {
  const [layout, sealedLayout] = [join(inputs, "system"), join(inputs, "system-sealed")];
  const { reference } = await makeGrowthImage(layout, bytes, disk.image.reference);
  const sealedReference = `oci:${sealedLayout}:latest`;
  execFileSync(SEALROOT, ["seal", "--quiet", reference, "-o", sealedReference, "--keys", disk.keysDirectory]);
  const grown = { ...disk, image: { ...disk.image, reference }, sealedReference };
  const boot = await bootInput(disk, scratch);
  const unit = "bytes above the example, unpacked";
  return {
    cases: [
      { chart: "seal", unit, ...sealCase({ disk: grown, boot, scratch }) },
      { chart: "install to a disk file", unit, ...installCase({ disk: grown, scratch }) },
    ],
    made: [layout, sealedLayout, join(scratch, "boot-input")],
  };
}
