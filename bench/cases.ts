/** What is measured: each piece of work as our command and, where one exists, as its counterpart's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SealedDisk } from "../examples/debian/sealed-disk.ts";
import type { Command } from "./measure.ts";

export interface BenchCase {
  readonly name: string;
  readonly ours: Attempt;
  readonly counterpart?: Attempt & { readonly name: string };
  /** True when both must print the same last word, so that equal work is compared. */
  readonly sameResult?: boolean;
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
  /** The image's layer, unpacked. */
  readonly tree: string;
  /** The tree as a composefs dump file; undefined where no tool writes one. */
  readonly dump: string | undefined;
  /** A UKI without signature. */
  readonly unsignedUki: string;
  /** For what the runs write. */
  readonly scratch: string;
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
    ...repositoryCases(inputs),
    ...(inputs.dump === undefined ? [] : [erofsCase(inputs.dump, inputs.scratch)]),
    signingCase(inputs),
    ...systemCases(inputs),
    startCase(),
  ];
}

/** Repositories without fs-verity: the file systems benchmarks run on seldom have it, and both sides write alike. */
function repositoryCases({ disk, tree, scratch }: BenchInputs): BenchCase[] {
  const ours = join(scratch, "repository-ours");
  const theirs = join(scratch, "repository-theirs");
  const initOurs = sealroot("repo", "init", "--insecure", ours);
  const cfsctl = counterpart("cfsctl");
  const theirCommand = (...args: string[]): Command => ({
    program: cfsctl ?? "",
    args: ["--repo", theirs, "--hash", "sha512", ...args],
  });
  const initTheirs = theirCommand("init", "--insecure");
  const against = (attempt: Attempt) => (cfsctl === undefined ? {} : { counterpart: { name: "cfsctl", ...attempt } });
  const source = disk.image.reference;
  return [
    {
      name: "pull an OCI layout (gzip layer) into a new repository",
      ours: { fresh: [ours], setup: [initOurs], command: sealroot("image", "pull", "--repo", ours, source, "bench") },
      ...against({ fresh: [theirs], setup: [initTheirs], command: theirCommand("oci", "pull", source, "bench") }),
    },
    {
      name: "check that repository (fsck)",
      ours: { command: sealroot("repo", "fsck", "--repo", ours) },
      ...against({ command: theirCommand("fsck") }),
    },
    {
      name: "compute the boot digest of a directory",
      ours: { command: sealroot("container", "compute-composefs-digest", tree) },
      ...against({ command: theirCommand("compute-id", "--bootable", tree) }),
      sameResult: true,
    },
    {
      name: "import a directory into a new repository, image included",
      ours: { fresh: [ours], setup: [initOurs], command: sealroot("repo", "create-image", "--repo", ours, tree) },
      ...against({ fresh: [theirs], setup: [initTheirs], command: theirCommand("create-image", tree) }),
      sameResult: true,
    },
  ];
}

function erofsCase(dump: string, scratch: string): BenchCase {
  const mkcomposefs = counterpart("mkcomposefs");
  const args = (output: string) => ["--from-file", dump, "--print-digest", join(scratch, output)];
  return {
    name: "write an EROFS image from a dump file",
    ours: { command: sealroot("repo", "mkcomposefs", ...args("ours.erofs")) },
    ...(mkcomposefs && {
      counterpart: { name: "mkcomposefs", command: { program: mkcomposefs, args: args("theirs.erofs") } },
    }),
    sameResult: true,
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
