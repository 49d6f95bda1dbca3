/** A clean clone of this checkout that belongs to an ordinary user, and commands run there as that user. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "../..");
/** nobody of Debian (base-passwd(8)): a user without rights, who owns nothing else. */
const NOBODY = 65534;
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How this machine reaches other ones; what a user's machine would have set for everybody. */
const NETWORK_VARIABLE = /^(?:https?_proxy|no_proxy|npm_config_.+|node_extra_ca_certs|ssl_cert_(?:file|dir))$/i;

export interface OrdinaryUserOptions {
  /** A user with subordinate ids of his own; nobody has none. */
  readonly uid?: number;
  /** False: the clone has no packages, and `./just` fetches them. */
  readonly sharesPackages?: boolean;
}

/** Run by root, the commands run as nobody, or as the user given; run by somebody else, as him. */
export class OrdinaryUser implements Disposable {
  /** The clone: what is committed, and the packages of this checkout. */
  readonly clone: string;
  readonly #directory: string;
  readonly #identity: { readonly uid?: number; readonly gid?: number };

  constructor({ uid = NOBODY, sharesPackages = true }: OrdinaryUserOptions = {}) {
    assert.ok(existsSync(join(CHECKOUT, ".git")), "the sessions are run in a clone: this is not a git checkout");
    this.#identity = process.getuid?.() === 0 ? { uid, gid: uid } : {};
    this.#directory = mkdtempSync(join(tmpdir(), "sealroot-docs-"));
    this.clone = join(this.#directory, "sealroot");
    for (const name of ["home", "tmp"]) mkdirSync(join(this.#directory, name));
    execFileSync("git", ["clone", "--quiet", "--no-hardlinks", CHECKOUT, this.clone]);
    if (sharesPackages) symlinkSync(join(CHECKOUT, "node_modules"), join(this.clone, "node_modules"));
    this.#own(this.#directory);
  }

  /** Makes a directory of his own beside the clone, and returns it. */
  directory(name: string): string {
    const path = join(this.#directory, name);
    mkdirSync(path);
    this.#own(path);
    return path;
  }

  /** Copies a directory into the clone. */
  take(source: string, name: string): void {
    const target = join(this.clone, name);
    execFileSync("cp", ["-a", "--reflink=auto", source, target]);
    this.#own(target);
  }

  /** Copies a layout of test/seal/sealable-image.ts into the clone; its tag is `1` there, as in documents. */
  takeImage(layout: string, name: string): void {
    const index = join(layout, "index.json");
    writeFileSync(index, readFileSync(index, "utf8").replace('"plain"', '"1"'));
    this.take(layout, name);
  }

  /** Runs shell text with an environment that has nothing of ours. */
  run(script: string, directory = this.clone): Ran {
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => NETWORK_VARIABLE.test(name))),
      HOME: join(this.#directory, "home"),
      TMPDIR: join(this.#directory, "tmp"),
      LC_ALL: "C",
      SEALROOT: this.clone,
      PATH: [join(this.clone, "bin"), SYSTEM_PATH].join(delimiter),
    };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `umask 022\n${script}`], {
      ...{ cwd: directory, env, encoding: "utf8", maxBuffer: 1 << 26 },
      ...this.#identity,
    });
    return { exitCode: status, stdout, stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #own(path: string): void {
    const { uid, gid } = this.#identity;
    if (uid === undefined) return;
    chmodSync(path, 0o755);
    chownSync(path, uid, gid ?? uid);
    execFileSync("chown", ["-R", "--no-dereference", `${uid}:${gid}`, path]);
  }
}

/** Runs the commands of a session in `directory`; each is printed as the document shows it, then run. */
export function assertSession(user: OrdinaryUser, session: string, directory: string): void {
  const commands = [...session.matchAll(/^\$ (.+)$/gm)].map((match) => match[1] ?? "");
  assert.ok(commands.length >= 5);
  const script = commands.flatMap((command) => [`cat <<'END'\n$ ${command}\nEND`, command]);
  const { stdout, stderr } = user.run(script.join("\n"), directory);
  assert.equal(stdout, session, stderr);
}
