/** Everything that is measured. */
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import type { BenchCase } from "./bench-case.ts";
import { BOOT_OBJECTS } from "./boot-check.ts";
import type { Command } from "./measure.ts";
import type { PullLayouts } from "./pull-layouts.ts";
import type { BenchRegistry } from "./registry.ts";
import { pullCases, treeCases, updateCase } from "./repository-cases.ts";
import { sealroot } from "./sealroot.ts";
import { installCase, sealCase, signingCase, ukiCase, verifyCase } from "./system-cases.ts";
import type { BenchUpdate } from "./update.ts";

/** What the cases work on. */
export interface BenchInputs {
  readonly disk: SealedDisk;
  /** The image's layer, unpacked; and a tree of many small files. */
  readonly trees: readonly TreeInput[];
  /** The image in other shapes. */
  readonly layouts: PullLayouts;
  /** With the image of ten layers. */
  readonly registry: BenchRegistry;
  readonly update: BenchUpdate;
  readonly boot: BootInput;
  /** Looks for the objects of an image as the boot program does. */
  readonly bootCheck: Command;
  /** For what the runs write. */
  readonly scratch: string;
}

/** A directory that is scanned, stored and checked. */
export interface TreeInput {
  readonly label: string;
  readonly path: string;
  /** The tree as a composefs dump file. */
  readonly dump: string;
  /** Shares of cfsctl's time to reach, and of mkcomposefs'. */
  readonly goals: { readonly digest: number; readonly import: number; readonly dump?: number };
}

/** Paths of what the example boots with. */
export interface BootInput {
  /** Without signature. */
  readonly unsignedUki: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly stub: string;
  readonly osRelease: string;
}

export function benchCases(inputs: BenchInputs): BenchCase[] {
  return [
    ...pullCases(inputs),
    updateCase(inputs),
    ...inputs.trees.flatMap((tree) => treeCases(tree, inputs.scratch)),
    signingCase(inputs),
    ukiCase(inputs),
    sealCase(inputs),
    installCase(inputs),
    verifyCase(inputs),
    {
      name: `look for ${BOOT_OBJECTS} objects before the root is made`,
      ours: { command: inputs.bootCheck },
      goalSeconds: 0.3,
    },
    startCase(),
  ];
}

function startCase(): BenchCase {
  return {
    name: "print the help",
    ours: { command: sealroot("--help") },
    counterparts: [{ name: "bare Node", attempt: { command: { program: process.execPath, args: ["--eval", "0"] } } }],
  };
}
