/** What repositories are for: images pulled, directories measured and stored, everything checked. */
import { join } from "node:path";
import { type BenchCase, type Counterpart, counterpart, shell } from "./bench-case.ts";
import type { BenchInputs, TreeInput } from "./cases.ts";
import type { Command } from "./measure.ts";
import { LIKE_CFSCTL, sealroot } from "./sealroot.ts";
import { UPDATED_PACKAGE } from "./update.ts";

type BenchEnvironment = Readonly<Record<string, string>>;
type BothSides = Pick<BenchCase, "ours" | "counterparts">;

/** The same repository of both tools, and commands on it. */
export class RepositoryPair {
  readonly ours: string;
  readonly theirs: string;

  constructor(scratch: string, label: string) {
    this.ours = join(scratch, `repository-ours-${label}`);
    this.theirs = join(scratch, `repository-theirs-${label}`);
  }

  /** Without fs-verity: benchmarks seldom run on file systems that have it, and both sides write the same way. */
  writing(ours: Command, env: BenchEnvironment, ...theirs: string[]): BothSides {
    return {
      ours: { fresh: [this.ours], setup: [sealroot("repo", "init", "--insecure", this.ours)], command: ours },
      counterparts: [
        counterpart("cfsctl", ["cfsctl"], (cfsctl = "") => ({
          fresh: [this.theirs],
          setup: [this.#theirCommand(cfsctl, "init", "--insecure")],
          command: { ...this.#theirCommand(cfsctl, ...theirs), env },
        })),
      ],
    };
  }

  reading(ours: Command, ...theirs: string[]): BothSides {
    return {
      ours: { command: ours },
      counterparts: [
        counterpart("cfsctl", ["cfsctl"], (cfsctl = "") => ({ command: this.#theirCommand(cfsctl, ...theirs) })),
      ],
    };
  }

  /** All that fsck checks; and, where our program can be told so, only what cfsctl checks. */
  checking(label: string): BenchCase[] {
    const ours = sealroot("repo", "fsck", "--repo", this.ours);
    const same: BenchCase = {
      name: `${label} (fsck), only what cfsctl checks`,
      ...this.reading({ ...ours, args: [...ours.args, LIKE_CFSCTL] }, "fsck"),
      goal: 0.6,
    };
    return [{ name: `${label} (fsck)`, ...this.reading(ours, "fsck"), goal: 0.9 }, same];
  }

  #theirCommand(cfsctl: string, ...args: string[]): Command {
    return { program: cfsctl, args: ["--repo", this.theirs, "--hash", "sha512", ...args] };
  }
}

/** The image in its shapes, then once more unchanged. */
export function pullCases({ disk, layouts, registry, scratch }: BenchInputs): BenchCase[] {
  const pair = new RepositoryPair(scratch, "pulled");
  const pullOf = (source: string) => sealroot("image", "pull", "--repo", pair.ours, source, "bench");
  const pull = (shape: string, source: string, goal: number, theirEnv: BenchEnvironment = {}) => ({
    name: `pull ${shape} into a new repository`,
    ...pair.writing(pullOf(source), theirEnv, "oci", "pull", source, "bench"),
    goal,
  });
  const gzip = disk.image.reference;
  const gzipCase = pull("an OCI layout (gzip layer)", gzip, 0.6);
  return [
    pull("from a registry (ten gzip layers)", registry.reference, 0.5, registry.skopeoEnv),
    {
      name: "pull it again from the registry, unchanged",
      ours: { command: pullOf(registry.reference) },
      goalSeconds: 0.3,
    },
    pull("an OCI layout (ten gzip layers)", layouts.tenLayers, 0.6),
    pull("an OCI layout (zstd layer)", layouts.zstd, 0.8),
    { ...gzipCase, counterparts: [...(gzipCase.counterparts ?? []), ...unpackers(gzip, scratch)] },
    ...pair.checking("check that repository"),
    { name: "pull that image again, unchanged", ...pair.reading(pullOf(gzip), "oci", "pull", gzip, "bench") },
  ];
}

/** Other ways from an image in a layout to its files on this machine. */
export function unpackers(reference: string, scratch: string): Counterpart[] {
  const [copy, bundle, storage] = ["copied", "bundle", "podman"].map((name) => join(scratch, name));
  return [
    counterpart("skopeo copy + umoci unpack", ["skopeo", "umoci"], (skopeo = "", umoci = "") => ({
      passing: [copy ?? "", bundle ?? ""],
      command: shell(
        ['"$1" --insecure-policy copy --quiet "$3" "oci:$4:image"', '"$2" unpack --image "$4:image" "$5"'],
        ...[skopeo, umoci, reference, copy ?? "", bundle ?? ""],
      ),
    })),
    counterpart("podman pull", ["podman"], (podman = "") => ({
      passing: [storage ?? ""],
      command: {
        program: podman,
        args: [
          ...["--root", `${storage}/root`, "--runroot", `${storage}/run`, "--storage-driver", "overlay"],
          ...["pull", "--quiet", reference],
        ],
      },
    })),
  ];
}

/** Where the image before the update is there already. */
export function updateCase({ update, scratch }: BenchInputs): BenchCase {
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
export function treeCases({ label, path, dump, goals }: TreeInput, scratch: string): BenchCase[] {
  const pair = new RepositoryPair(scratch, label);
  return [
    {
      name: `${label}: compute the boot digest of the directory`,
      ...pair.reading(sealroot("container", "compute-composefs-digest", path), "compute-id", "--bootable", path),
      sameResult: true,
      goal: goals.digest,
    },
    {
      name: `${label}: import the directory into a new repository, image included`,
      ...pair.writing(sealroot("repo", "create-image", "--repo", pair.ours, path), {}, "create-image", path),
      sameResult: true,
      goal: goals.import,
    },
    ...pair.checking(`${label}: check that repository`),
    { ...erofsCase(label, dump, scratch), ...(goals.dump !== undefined && { goal: goals.dump }) },
  ];
}

export function erofsCase(label: string, dump: string, scratch: string): BenchCase {
  const args = (output: string) => ["--from-file", dump, "--print-digest", join(scratch, output)];
  return {
    name: `${label}: write an EROFS image from a dump file`,
    ours: { command: sealroot("repo", "mkcomposefs", ...args("ours.erofs")) },
    counterparts: [
      counterpart("mkcomposefs", ["mkcomposefs"], (program = "") => ({
        command: { program, args: args("theirs.erofs") },
      })),
    ],
    sameResult: true,
  };
}
