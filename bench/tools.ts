/** The programs that ours are compared with: where they are, and which versions. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Each with the words that make it print its version, and where it can be had. */
const TOOLS = {
  cfsctl: { version: ["--version"], from: "cargo install composefs-ctl" },
  mkcomposefs: { version: ["--version"], from: "composefs 1.0.8, built from source" },
  skopeo: { version: ["--version"], from: "Debian" },
  umoci: { version: ["--version"], from: "Debian" },
  podman: { version: ["--version"], from: "Debian" },
  sbsign: { version: ["--version"], from: "Debian, sbsigntool" },
  mke2fs: { version: ["-V"], from: "Debian, e2fsprogs" },
  "mkfs.vfat": { version: ["--help"], from: "Debian, dosfstools" },
  mcopy: { version: ["--version"], from: "Debian, mtools" },
  sfdisk: { version: ["--version"], from: "Debian, fdisk" },
  ukify: { version: ["--version"], from: "Debian 13, systemd-ukify" },
  "systemd-repart": { version: ["--version"], from: "Debian 13, systemd-repart" },
} as const;

/** The status by which shells and the dynamic linker say so (bash(1), EXIT STATUS). */
const CANNOT_START = 127;

export type BenchTool = keyof typeof TOOLS;

/** Where programs are that no package brings: cfsctl, mkcomposefs. */
const BUILT = process.env.SEALROOT_BENCH_TOOLS ?? "/opt/ref/bin";

const directories = [BUILT, "/usr/bin", "/usr/sbin"];

/** Looks into this directory, too, and there first. */
export function addToolDirectory(path: string): void {
  directories.unshift(path);
}

/** The program's path, or undefined where it is not installed. */
export function findBenchTool(name: BenchTool): string | undefined {
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/**
 * One entry a program: what it calls itself, or that it is not installed and where it would come from.
 * @throws Error when one is there and does not start: better now than after all that is measured before it
 */
export function benchToolVersions(): string[] {
  return Object.entries(TOOLS).map(([name, { version, from }]) => {
    const path = findBenchTool(name as BenchTool);
    if (path === undefined) return `${name} NOT INSTALLED (${from})`;
    const { stdout, stderr, status } = spawnSync(path, version, { encoding: "utf8" });
    if (status === null || status === CANNOT_START) throw new Error(`${path} does not start: ${stderr}`);
    const number = /\d+(\.\d+)+|\b\d{3}\b/.exec(stdout + stderr)?.[0];
    return number === undefined ? `${name} (${from})` : `${name} ${number}`;
  });
}
