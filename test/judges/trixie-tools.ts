/**
 * systemd's own programs of Debian trixie as judges: ukify, bootctl, systemd-measure and more, in a tree that is made once into
 * the cache (30 s, 95 MB). A tree that cannot be made fails the test: it is never passed over.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { runTool } from "../../src/platform/index.ts";
import { cacheDirectory } from "../guest/base.ts";
import { unpackDebianTree } from "../guest/debian-tree.ts";

/** The libraries of tpm2-tss are opened by systemd at run time, so no package depends on them. */
const PACKAGES = [
  ...["systemd", "systemd-ukify", "systemd-boot-tools", "systemd-boot-efi"],
  ...["libtss2-esys-3.0.2-0t64", "libtss2-mu-4.0.1-0t64", "libtss2-rc0t64"],
];

export class TrixieTools {
  readonly #tree: string;

  private constructor(tree: string) {
    this.#tree = tree;
  }

  static async open(): Promise<TrixieTools> {
    const key = createHash("sha256").update(PACKAGES.join(" ")).digest("hex").slice(0, 16);
    const tree = join(cacheDirectory(), `trixie-tools-${key}`);
    if (!existsSync(tree)) await makeTree(tree);
    return new TrixieTools(tree);
  }

  /** Where a file of the tree is on this machine. */
  path(path: string): string {
    return join(this.#tree, path);
  }

  /**
   * Runs a program of the tree as root of a system that is nothing but the tree.
   *
   * @param files are in the directory where it runs
   * @returns standard output; a program that fails is an error
   */
  async run(
    program: string,
    words: readonly string[],
    files: Readonly<Record<string, Uint8Array>> = {},
  ): Promise<string> {
    mkdirSync(join(this.#tree, "tmp"), { recursive: true });
    const directory = mkdtempSync(join(this.#tree, "tmp/run-"));
    try {
      for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
      const line = [`/tmp/${basename(directory)}`, program, ...words];
      const { stdout } = await runTool("unshare", [
        // As an ordinary user, root of a user namespace of its own; root needs none, and some hosts refuse it one.
        ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
        ...[`--root=${this.#tree}`, "--", "/usr/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", ...line],
      ]);
      return stdout.toString();
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** As {@link run}, systemd-measure. */
  measure(words: readonly string[], files: Readonly<Record<string, Uint8Array>>): Promise<string> {
    return this.run("/usr/lib/systemd/systemd-measure", words, files);
  }

  ukify(words: readonly string[], files: Readonly<Record<string, Uint8Array>>): Promise<string> {
    return this.run("/usr/bin/python3", ["/usr/bin/ukify", ...words], files);
  }

  bootctl(words: readonly string[], files: Readonly<Record<string, Uint8Array>>): Promise<string> {
    return this.run("/usr/bin/bootctl", words, files);
  }
}

async function makeTree(tree: string): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  const work = await mkdtemp(join(cacheDirectory(), "making-trixie-tools-"));
  try {
    const made = join(work, "tree");
    await mkdir(made);
    await unpackDebianTree([...PACKAGES, "dash"], work, made);
    // dash's link is made when it is configured.
    if (!existsSync(join(made, "usr/bin/sh"))) await runTool("ln", ["-s", "dash", join(made, "usr/bin/sh")]);
    // Two test runs may make it at the same time: the first one wins.
    await rename(made, tree).catch((error: unknown) => {
      if (!existsSync(tree)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
