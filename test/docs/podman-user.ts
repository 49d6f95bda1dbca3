/** An ordinary user who builds images: with subordinate ids, and a store of podman for one test. */
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OrdinaryUser, type Ran } from "./ordinary-user.ts";

/**
 * What this machine needs and others need not: the driver that is the default since podman 5, and builds in a chroot, for
 * want of cgroups.
 */
const ENVIRONMENT = { STORAGE_DRIVER: "overlay", BUILDAH_ISOLATION: "chroot" };

/** Run by root, an account is made for the time of the test; run by somebody else, it is he, with a store of its own. */
export class PodmanUser implements Disposable {
  readonly user: OrdinaryUser;
  readonly #account: { readonly name: string; readonly uid: number } | undefined;
  readonly #prelude: string;

  constructor() {
    this.#account = process.getuid?.() === 0 ? makeAccount(`sealroot-podman-${process.pid}`) : undefined;
    try {
      this.user = new OrdinaryUser(this.#account === undefined ? {} : { uid: this.#account.uid });
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
    if (this.#account === undefined) return;
    const { name, uid } = this.#account;
    execFileSync("userdel", ["--force", name], { stdio: "ignore" });
    // What runs in the chroot of a build has an environment of its own, and podman 4.3 makes these for it.
    for (const folder of [`podman-run-${uid}`, `containers-user-${uid}`]) {
      rmSync(join("/tmp", folder), { recursive: true, force: true });
    }
  }
}

function makeAccount(name: string) {
  execFileSync("useradd", ["--user-group", "--no-create-home", name]);
  return { name, uid: Number(execFileSync("id", ["-u", name], { encoding: "utf8" })) };
}
