/** What is measured: each piece of work as our command and, if there is one, its counterpart's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import { BOOT_OBJECTS } from "./boot-check.ts";
import type { Command } from "./measure.ts";
import type { PullLayouts } from "./pull-layouts.ts";
import type { BenchRegistry } from "./registry.ts";
import { type BenchUpdate, UPDATED_PACKAGE } from "./update.ts";

export interface BenchCase {
  readonly name: string;
  readonly ours: Attempt;
  readonly counterpart?: Attempt & { readonly name: string };
  /** True when both must print the same last word, so that equal work is compared. */
  readonly sameResult?: boolean;
  /** The wall time to reach, as a share of the counterpart's. */
  readonly goal?: number;
  /** The wall time to reach. */
  readonly goalSeconds?: number;
  /** What our `--json` report says was fetched, and what there is to fetch. */
  readonly fetch?: BenchUpdate;
}

export interface Attempt {
  /** Removed before every run. */
  readonly fresh?: readonly string[];
  /** Run before every run, not measured. */
  readonly setup?: readonly Command[];
  readonly command: Command;
}

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
  /** A UKI without signature. */
  readonly unsignedUki: string;
  /** Looks for the objects of an image as the boot program does. */
  readonly bootCheck: Command;
  /** For what the runs write. */
  readonly scratch: string;
}

/** A directory that is scanned, stored and checked. */
export interface TreeInput {
  readonly label: string;
  readonly path: string;
  /** The tree as a composefs dump file; undefined where no tool writes one. */
  readonly dump: string | undefined;
}

const CHECKOUT = join(import.meta.dirname, "..");
const COUNTERPARTS = process.env.SEALROOT_BENCH_TOOLS ?? "/opt/ref/bin";

/** A counterpart's program where it is installed, or undefined. */
export function counterpart(name: string): string | undefined {
  return [join(COUNTERPARTS, name), join("/usr/bin", name)].find((path) => existsSync(path));
}

function sealroot(...words: string[]): Command {
  return { program: join(CHECKOUT, "bin/sealroot"), args: words };
}

export function benchCases(inputs: BenchInputs): BenchCase[] {
  return [
    ...pullCases(inputs),
    updateCase(inputs),
    ...inputs.trees.flatMap((tree) => treeCases(tree, inputs.scratch)),
    signingCase(inputs),
    ...systemCases(inputs),
    {
      name: `look for ${BOOT_OBJECTS} objects before the root is made`,
      ours: { command: inputs.bootCheck },
      goalSeconds: 0.3,
    },
    startCase(),
  ];
}

type BenchEnvironment = Readonly<Record<string, string>>;

/** The same repository of both tools, and commands on it. */
class RepositoryPair {
  readonly ours: string;
  readonly theirs: string;
  readonly #cfsctl = counterpart("cfsctl");

  constructor(scratch: string, label: string) {
    this.ours = join(scratch, `repository-ours-${label}`);
    this.theirs = join(scratch, `repository-theirs-${label}`);
  }

  /** Without fs-verity: benchmarks seldom run on file systems that have it, and both sides write the same way. */
  writing(ours: Command, env: BenchEnvironment, ...theirs: string[]): Pick<BenchCase, "ours" | "counterpart"> {
    const initOurs = sealroot("repo", "init", "--insecure", this.ours);
    const initTheirs = this.#theirCommand("init", "--insecure");
    return {
      ours: { fresh: [this.ours], setup: [initOurs], command: ours },
      ...this.#against({
        fresh: [this.theirs],
        setup: [initTheirs],
        command: { ...this.#theirCommand(...theirs), env },
      }),
    };
  }

  reading(ours: Command, ...theirs: string[]): Pick<BenchCase, "ours" | "counterpart"> {
    return { ours: { command: ours }, ...this.#against({ command: this.#theirCommand(...theirs) }) };
  }

  #against(attempt: Attempt): Pick<BenchCase, "counterpart"> {
    return this.#cfsctl === undefined ? {} : { counterpart: { name: "cfsctl", ...attempt } };
  }

  #theirCommand(...args: string[]): Command {
    return { program: this.#cfsctl ?? "", args: ["--repo", this.theirs, "--hash", "sha512", ...args] };
  }
}

/** The image in its shapes, then once more unchanged. */
function pullCases({ disk, layouts, registry, scratch }: BenchInputs): BenchCase[] {
  const pair = new RepositoryPair(scratch, "pulled");
  const pullOf = (source: string) => sealroot("image", "pull", "--repo", pair.ours, source, "bench");
  const pull = (shape: string, source: string, theirEnv: BenchEnvironment = {}): BenchCase => ({
    name: `pull ${shape} into a new repository`,
    ...pair.writing(pullOf(source), theirEnv, "oci", "pull", source, "bench"),
    goal: 0.6,
  });
  const gzip = disk.image.reference;
  return [
    pull("from a registry (ten gzip layers)", registry.reference, registry.skopeoEnv),
    {
      name: "pull it again from the registry, unchanged",
      ours: { command: pullOf(registry.reference) },
      goalSeconds: 0.3,
    },
    pull("an OCI layout (ten gzip layers)", layouts.tenLayers),
    pull("an OCI layout (zstd layer)", layouts.zstd),
    pull("an OCI layout (gzip layer)", gzip),
    {
      name: "check that repository (fsck)",
      ...pair.reading(sealroot("repo", "fsck", "--repo", pair.ours), "fsck"),
      goal: 0.7,
    },
    { name: "pull that image again, unchanged", ...pair.reading(pullOf(gzip), "oci", "pull", gzip, "bench") },
  ];
}

/** Where the image before the update is there already. */
function updateCase({ update, scratch }: BenchInputs): BenchCase {
  const repository = join(scratch, "repository-updated");
  const pull = (source: string) => sealroot("image", "pull", "--json", "--repo", repository, source, "bench");
  return {
    name: `pull an update of ${UPDATED_PACKAGE} from a registry (zstd:chunked)`,
    ours: {
      fresh: [repository],
      setup: [sealroot("repo", "init", "--insecure", repository), pull(update.before)],
      command: pull(update.after),
    },
    fetch: update,
  };
}

/** What a directory goes through. */
function treeCases({ label, path, dump }: TreeInput, scratch: string): BenchCase[] {
  const pair = new RepositoryPair(scratch, label);
  return [
    {
      name: `${label}: compute the boot digest of the directory`,
      ...pair.reading(sealroot("container", "compute-composefs-digest", path), "compute-id", "--bootable", path),
      sameResult: true,
      goal: 0.5,
    },
    {
      name: `${label}: import the directory into a new repository, image included`,
      ...pair.writing(sealroot("repo", "create-image", "--repo", pair.ours, path), {}, "create-image", path),
      sameResult: true,
      goal: 0.6,
    },
    {
      name: `${label}: check that repository (fsck)`,
      ...pair.reading(sealroot("repo", "fsck", "--repo", pair.ours), "fsck"),
      goal: 0.7,
    },
    ...(dump === undefined ? [] : [erofsCase(label, dump, scratch)]),
  ];
}

function erofsCase(label: string, dump: string, scratch: string): BenchCase {
  const mkcomposefs = counterpart("mkcomposefs");
  const args = (output: string) => ["--from-file", dump, "--print-digest", join(scratch, output)];
  return {
    name: `${label}: write an EROFS image from a dump file`,
    ours: { command: sealroot("repo", "mkcomposefs", ...args("ours.erofs")) },
    ...(mkcomposefs && {
      counterpart: { name: "mkcomposefs", command: { program: mkcomposefs, args: args("theirs.erofs") } },
    }),
    sameResult: true,
    goal: 1,
  };
}

function signingCase({ disk, unsignedUki, scratch }: BenchInputs): BenchCase {
  const sbsign = counterpart("sbsign");
  const keys = disk.keysDirectory;
  const program = join(CHECKOUT, "bench/sign-uki.ts");
  const key = ["--key", join(keys, "db.key"), "--cert", join(keys, "db.pem")];
  return {
    name: "sign a UKI",
    ours: {
      command: { program: process.execPath, args: [program, keys, unsignedUki, join(scratch, "ours.efi")] },
    },
    ...(sbsign && {
      counterpart: {
        name: "sbsign",
        command: { program: sbsign, args: [...key, "--output", join(scratch, "theirs.efi"), unsignedUki] },
      },
    }),
  };
}

function systemCases({ disk, scratch }: BenchInputs): BenchCase[] {
  const sealed = join(scratch, "sealed");
  const image = join(scratch, "disk.img");
  return [
    {
      name: "seal the image",
      ours: {
        fresh: [sealed],
        command: sealroot("seal", disk.image.reference, "-o", `oci:${sealed}:latest`, "--keys", disk.keysDirectory),
      },
    },
    {
      name: "install the sealed image to a disk file",
      ours: {
        fresh: [image],
        command: sealroot(
          ...["install", "to-disk", image, "--size", "6G", "--source-imgref", disk.sealedReference],
          ...["--target-imgref", "localhost/bench:latest"],
        ),
      },
    },
  ];
}

function startCase(): BenchCase {
  return {
    name: "print the help",
    ours: { command: sealroot("--help") },
    counterpart: { name: "bare Node", command: { program: process.execPath, args: ["--eval", "0"] } },
  };
}
