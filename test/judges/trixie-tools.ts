/**
 * systemd's own programs of Debian trixie as judges: ukify, bootctl, systemd-measure and more, in a tree that is made once into
 * the cache (35 s, 110 MB). A tree that cannot be made fails the test: it is never passed over.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "../../src/platform/index.ts";
import { cacheDirectory } from "../guest/base.ts";
import { unpackDebianTree } from "../guest/debian-tree.ts";
import { makeOnce } from "../guest/made-once.ts";

/** The libraries of tpm2-tss are opened by systemd at run time, so no package depends on them. */
const PACKAGES = [
  ...["systemd", "systemd-ukify", "systemd-boot-tools", "systemd-boot-efi", "systemd-cryptsetup", "cryptsetup-bin"],
  ...["libtss2-esys-3.0.2-0t64", "libtss2-mu-4.0.1-0t64", "libtss2-rc0t64", "libtss2-tcti-swtpm0t64"],
];
/** Where the directory of a run is in the tree. */
const WORK = "mnt";
/** Where systemd looks for signed policies when nobody says where they are (systemd-cryptsetup(8)). */
const POLICIES = "run/systemd/tpm2-pcr-signature.json";
/** A mount namespace of its own, so that nothing of it is left when the program ends. */
const ENTER = `tree=$1 && mount --rbind /dev "$tree/dev" && mount --bind "$2" "$tree/${WORK}" && shift 2 &&
  exec chroot "$tree" "$@"`;

export class TrixieTools {
  readonly #tree: string;

  private constructor(tree: string) {
    this.#tree = tree;
  }

  static async open(): Promise<TrixieTools> {
    const key = createHash("sha256").update(PACKAGES.join(" ")).digest("hex").slice(0, 16);
    const tree = join(cacheDirectory(), `trixie-tools-${key}`);
    await makeOnce(tree, makeTree);
    return new TrixieTools(tree);
  }

  /** Where a file of the tree is on this machine. */
  path(path: string): string {
    return join(this.#tree, path);
  }

  /**
   * Runs a program of the tree as root of a system that is nothing but the tree, and `directory` as its /mnt.
   * @returns standard output; a program that fails is an error
   */
  async runIn(directory: string, program: string, words: readonly string[]): Promise<string> {
    // As an ordinary user, root of a user namespace of its own; root needs none, and some hosts refuse it one.
    const namespaces = process.getuid?.() === 0 ? ["--mount"] : ["--map-root-user", "--mount"];
    const line = ["-c", ENTER, "sh", this.#tree, directory, program, ...words];
    const { stdout } = await runTool("unshare", [...namespaces, "--", "sh", ...line]);
    return stdout.toString();
  }

  /** As {@link runIn}, in a new directory with these files. */
  async run(program: string, words: readonly string[], files: Readonly<Record<string, Uint8Array>>): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "sealroot-judge-"));
    try {
      for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
      return await this.runIn(directory, program, words);
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

async function makeTree(made: string, work: string): Promise<void> {
  await unpackDebianTree(PACKAGES, work, made);
  for (const name of ["dev", WORK, "run/systemd"]) await mkdir(join(made, name), { recursive: true });
  await symlink(`/${WORK}/tpm2-pcr-signature.json`, join(made, POLICIES));
}
