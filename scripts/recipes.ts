/** What `./just` can do. The justfile repeats the names and summaries; test/house/menu.test.ts compares them. */
import { spawnSync } from "node:child_process";
import { globSync, rmSync } from "node:fs";
import { fastPackages } from "./system-packages.ts";

export interface Recipe {
  readonly name: string;
  /** One line, beginning with a verb in the imperative, no final period. */
  readonly summary: string;
  /** Debian packages that must be there first. */
  readonly packages: readonly string[];
  /** Runs in the checkout's root with the words that followed the name. Returns the exit code. */
  run(words: readonly string[]): number;
}

/** Making a disk and booting it (docs: README, "What it needs"). */
const SEAL_PACKAGES = [
  ...["mmdebstrap", "uidmap", "xz-utils", "e2fsprogs", "dosfstools", "mtools", "fdisk"],
  ...["qemu-system-x86", "ovmf"],
  ...fastPackages(),
];

/** Reference tools and material of the tests: signatures, images, registries, a TPM, tokens, EFI programs, containers, shared blocks. */
const TEST_PACKAGES = [
  ...["apache2-utils", "buildah", "docker-registry", "gnupg", "gpgv", "openssl", "podman", "sbsigntool", "skopeo"],
  ...[
    "cryptsetup-bin",
    "efitools",
    "faketime",
    "fish",
    "groff-base",
    "opensc",
    "osslsigncode",
    "softhsm2",
    "swtpm",
    "umoci",
    "zsh",
  ],
  ...["libarchive-tools", "systemd-container", "systemd-boot-efi", "xfsprogs"],
  // For arm64: machine code is run and assembled, images are unpacked and booted.
  ...["binutils-aarch64-linux-gnu", "qemu-efi-aarch64", "qemu-system-arm", "qemu-user"],
  // With all it depends on 340 MB, 108 MB to download; the browser with windows is 412 and 124 MB.
  "chromium-headless-shell",
];

/** What ours is measured beside, and a registry. ukify and systemd-repart come from Debian 13 by themselves (bench/systemd-tools.ts). */
const BENCH_PACKAGES = ["docker-registry", "podman", "sbsigntool", "skopeo", "time", "umoci"];

const BIOME = "node_modules/@biomejs/biome/bin/biome";
const TYPESCRIPT = "node_modules/typescript/bin/tsc";
const HOUSE_TESTS = "test/house/*.test.ts";

export const RECIPES: readonly Recipe[] = [
  {
    name: "build-sealed",
    summary: "Build, seal, install and boot the Debian example",
    packages: SEAL_PACKAGES,
    run: (words) => node(["examples/debian/build-sealed.ts", ...words]),
  },
  {
    name: "test-composefs",
    summary: "Run the sealed image's test suite in virtual machines",
    packages: [...SEAL_PACKAGES, ...TEST_PACKAGES],
    run: (words) => {
      // Suites of several minutes, which `test` leaves out (test/vm/whole-suite.ts).
      process.env.SEALROOT_ALL_BOOTED = "1";
      return test(["test/{guest,vm}/**/*.test.ts"], words, ["spec", "./scripts/test-table.ts"]);
    },
  },
  {
    name: "test",
    summary: "Run every test: unit, guest and virtual machine",
    packages: [...SEAL_PACKAGES, ...TEST_PACKAGES],
    run: (words) => test(["test/**/*.test.ts"], words),
  },
  {
    name: "fuzz",
    summary: "Search for harmful inputs by fuzzing: seconds, then targets",
    packages: [],
    run: (words) => node(["test/fuzz/run.ts", ...words]),
  },
  {
    name: "check",
    summary: "Check format, lint, types, import directions and menus",
    packages: [],
    run: () =>
      firstFailure([() => node([BIOME, "check"]), () => node([TYPESCRIPT, "-p", "."]), () => test([HOUSE_TESTS], [])]),
  },
  {
    name: "fmt",
    summary: "Format the sources and apply the linter's safe fixes",
    packages: [],
    run: () => node([BIOME, "check", "--write"]),
  },
  {
    name: "reference",
    summary: "Write docs/cli.md from the table of verbs",
    packages: [],
    run: () => node(["scripts/reference.ts"]),
  },
  {
    name: "site",
    summary: "Build the pages of docs/ as a site with search, into build/site",
    packages: [],
    run: (words) => node(["scripts/site/build.ts", ...words]),
  },
  {
    name: "package",
    summary: "Make what others install: npm package, Debian package, tool image",
    packages: ["dpkg"],
    run: (words) => node(["scripts/package/run.ts", ...words]),
  },
  {
    name: "bench",
    summary: "Measure every step beside its counterparts, into bench/RESULTS.md",
    packages: [...SEAL_PACKAGES, ...BENCH_PACKAGES],
    run: (words) => node(["bench/run.ts", ...words]),
  },
  {
    name: "clean",
    summary: "Remove what was built and downloaded, keys included",
    packages: [],
    run: () => {
      for (const directory of ["build", "dist", ".cache"]) rmSync(directory, { recursive: true, force: true });
      return 0;
    },
  },
];

export function menuText(): string {
  const width = Math.max(...RECIPES.map((recipe) => recipe.name.length));
  const lines = RECIPES.map((recipe) => `    ${recipe.name.padEnd(width)}  ${recipe.summary}`);
  return ["Usage: ./just RECIPE", "", ...lines].join("\n");
}

/** One run of Node's test runner over all files, so that its closing lines count everything. */
function test(patterns: readonly string[], words: readonly string[], reporters: readonly string[] = ["spec"]): number {
  const files = words.length > 0 ? words : patterns.flatMap((pattern) => globSync(pattern)).sort();
  const printed = reporters.flatMap((name) => [`--test-reporter=${name}`, "--test-reporter-destination=stdout"]);
  return node(["--test", ...printed, "--test-concurrency=2", ...files]);
}

function node(args: readonly string[]): number {
  const { status, error } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function firstFailure(steps: readonly (() => number)[]): number {
  for (const step of steps) {
    const exitCode = step();
    if (exitCode !== 0) return exitCode;
  }
  return 0;
}
