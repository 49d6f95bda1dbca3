/** The Debian package, made with dpkg-deb(1): /usr/lib/sealroot, /usr/bin/sealroot, tab completion, the licenses. */
import {
  cpSync,
  globSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { overviewPage, pageName, verbPage } from "../../src/cli/manual/man-page.ts";
import { verbManuals } from "../../src/cli/manual/verb-manual.ts";
import { checkoutManifest } from "./distribution.ts";
import type { DebianArchitecture } from "./program-folder.ts";
import { systemTree } from "./system-tree.ts";
import { CHECKOUT, runOrThrow, settleModes } from "./tools.ts";

const MAINTAINER = "The sealroot engineers <sealroot@localhost>";

/** What Node's binary is linked with. */
const DEPENDS = ["libc6 (>= 2.28)", "libgcc-s1", "libstdc++6"];
/** Making and checking disks; xz for images that are compressed with it. */
const RECOMMENDS = ["e2fsprogs", "dosfstools", "mtools", "fdisk", "xz-utils"];
/** Hashing and gunzip (src/primitives). */
const RECOMMENDS_ON: Readonly<Record<DebianArchitecture, readonly string[]>> = {
  amd64: ["libipsec-mb2 | libipsec-mb1", "libisal2"],
  arm64: [],
};
/** Trying a disk; podman's store. */
const SUGGESTS = ["qemu-system-x86", "ovmf", "swtpm", "podman", "skopeo"];

/** Where each shell looks for completions (bash-completion, zsh and fish packages of Debian). */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions/sealroot",
  zsh: "usr/share/zsh/vendor-completions/_sealroot",
  fish: "usr/share/fish/vendor_completions.d/sealroot.fish",
} as const;

/**
 * Packs a program folder. Equal folders and times give equal bytes.
 *
 * @param epochSeconds time of every file, seconds since 1970
 * @returns the path of `sealroot_VERSION_ARCHITECTURE.deb` in `outputDirectory`
 */
export async function makeDebianPackage(
  programFolder: string,
  outputDirectory: string,
  architecture: DebianArchitecture,
  epochSeconds: number,
): Promise<string> {
  const { version, description } = checkoutManifest();
  const root = join(outputDirectory, `sealroot_${version}_${architecture}`);
  rmSync(root, { recursive: true, force: true });
  for (const entry of systemTree(programFolder)) {
    const path = join(root, entry.path);
    if (entry.kind === "directory") mkdirSync(path, { recursive: true });
    else if (entry.kind === "symlink") symlinkSync(entry.target, path);
    else cpSync(entry.source, path);
  }
  for (const [shell, path] of Object.entries(COMPLETIONS)) {
    write(join(root, path), runOrThrow(process.execPath, [join(programFolder, "lib/main.js"), "completion", shell]));
  }
  for (const { name, text } of await manualPages(version, description, epochSeconds)) {
    write(join(root, `usr/share/man/man1/${name}.1.gz`), gzipSync(text, { level: 9 }));
  }
  const documents = join(root, "usr/share/doc/sealroot");
  write(join(documents, "copyright"), copyrightText(programFolder));
  write(join(documents, "changelog.gz"), gzipSync(readFileSync(join(CHECKOUT, "CHANGELOG.md")), { level: 9 }));
  write(join(root, "DEBIAN/control"), controlText({ version, description, architecture, root }));
  setTimes(root, epochSeconds);
  const path = `${root}.deb`;
  // One thread, so that the number of cores does not affect the bytes. xz would take two minutes for 3 MB less.
  const options = ["--root-owner-group", "-Zzstd", "-z9", "--threads-max=1", "--build"];
  runOrThrow("env", [`SOURCE_DATE_EPOCH=${epochSeconds}`, "dpkg-deb", ...options, root, path]);
  rmSync(root, { recursive: true });
  return path;
}

async function manualPages(version: string, description: string, epochSeconds: number) {
  const facts = { version, date: new Date(epochSeconds * 1000).toISOString().slice(0, 10) };
  const verbs = await verbManuals();
  return [
    { name: "sealroot", text: overviewPage(verbs, description, facts) },
    ...verbs.map((verb) => ({ name: pageName(verb.path), text: verbPage(verb, facts) })),
  ];
}

interface ControlFacts {
  readonly version: string;
  readonly description: string;
  readonly architecture: DebianArchitecture;
  readonly root: string;
}

/** deb-control(5). */
function controlText(facts: ControlFacts): string {
  const bytes = globSync("**/*", { cwd: join(facts.root, "usr"), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
  return [
    "Package: sealroot",
    `Version: ${facts.version}`,
    `Architecture: ${facts.architecture}`,
    `Maintainer: ${MAINTAINER}`,
    "Section: admin",
    "Priority: optional",
    `Installed-Size: ${Math.ceil(bytes / 1024)}`,
    `Depends: ${DEPENDS.join(", ")}`,
    `Recommends: ${[...RECOMMENDS, ...RECOMMENDS_ON[facts.architecture]].join(", ")}`,
    `Suggests: ${SUGGESTS.join(", ")}`,
    `Description: ${facts.description}`,
    " Seals container images into operating systems whose root is one fs-verity",
    " digest in a signed kernel image, and installs them on disks without root.",
    "",
  ].join("\n");
}

/** Ours, then the license of everything else in the folder. */
function copyrightText(programFolder: string): string {
  const names = readdirSync(join(programFolder, "licenses")).sort();
  const parts = names.map((name) => readFileSync(join(programFolder, "licenses", name), "utf8"));
  const own = `sealroot\n\n${readFileSync(join(CHECKOUT, "LICENSE"), "utf8")}`;
  return `${[own, ...parts].join(`\n${"-".repeat(72)}\n\n`)}\n`;
}

/** Modes that do not depend on the builder's umask, and one time for everything. */
function setTimes(root: string, epochSeconds: number): void {
  settleModes(root);
  for (const entry of globSync("**/*", { cwd: root, withFileTypes: true })) {
    lutimesSync(join(entry.parentPath, entry.name), epochSeconds, epochSeconds);
  }
  lutimesSync(root, epochSeconds, epochSeconds);
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
