/** An ordinary user who builds images: with subordinate ids, and a store of podman for one test. */
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { OrdinaryUser, type Ran } from "./ordinary-user.ts";

/**
 * What this machine needs and others need not: the driver that is the default since podman 5, and builds in a chroot, for
 * want of cgroups.
 */
const ENVIRONMENT = { STORAGE_DRIVER: "overlay", BUILDAH_ISOLATION: "chroot" };

/** Run by root, an account is made for the time of the test; run by somebody else, it is he, with a store of its own. */
export class PodmanUser implements Disposable {
  readonly user: OrdinaryUser;
  readonly #account: string | undefined;
  readonly #prelude: string;

  constructor() {
    this.#account = process.getuid?.() === 0 ? `sealroot-podman-${process.pid}` : undefined;
    if (this.#account !== undefined) execFileSync("useradd", ["--user-group", "--no-create-home", this.#account]);
    try {
      this.user = new OrdinaryUser(this.#account === undefined ? {} : { uid: userId(this.#account) });
      const runtime = this.user.directory("runtime");
      chmodSync(runtime, 0o700);
      const variables = Object.entries({ ...ENVIRONMENT, XDG_RUNTIME_DIR: runtime });
      this.#prelude = variables.map(([name, value]) => `export ${name}='${value}'`).join("\n");
    } catch (error) {
      this.#removeAccount();
      throw error;
    }
  }

  /** Runs shell text with what podman needs in the environment. */
  run(script: string, directory: string): Ran {
    return this.user.run(`${this.#prelude}\n${script}`, directory);
  }

  [Symbol.dispose](): void {
    // Files of subordinate ids are not his to remove outside; and the process that holds the namespace would stay.
    this.run('podman unshare rm -rf "$HOME/.local"; podman system migrate', this.user.clone);
    this.user[Symbol.dispose]();
    this.#removeAccount();
  }

  #removeAccount(): void {
    if (this.#account !== undefined) execFileSync("userdel", ["--force", this.#account], { stdio: "ignore" });
  }
}

function userId(account: string): number {
  return Number(execFileSync("id", ["-u", account], { encoding: "utf8" }));
}
