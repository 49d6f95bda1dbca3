/** A host in a virtual machine that is used, shut down and started again, as an administrator would: on a disk of its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { DiskCopy } from "./disk-copy.ts";
import { mountStick } from "./image-disk.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, type SealedExample, systemState } from "./sealed-example.ts";

/** Staging and checks read and write a few hundred MB in emulation. */
const WORK_TIMEOUT_MS = 1_800_000;

export interface RunningHostOptions {
  /** Copied; the copy is the host's. Absent: the example's. */
  readonly diskPath?: string;
  /** A second disk with images, mounted at {@link STICK} after each start. */
  readonly stick?: string;
  readonly network?: boolean;
  readonly watchdog?: boolean;
  /** Of a TPM that outlives the machine's starts. */
  readonly tpmStateDirectory?: string;
}

/** Which disk is copied, and which keys the firmware has. */
export type HostExample = Pick<SealedExample, "diskPath" | "secureBoot">;

export class RunningHost {
  readonly disk: DiskCopy;
  readonly #example: HostExample;
  readonly #options: RunningHostOptions;
  #guest: VirtualMachine | undefined;

  private constructor(example: HostExample, disk: DiskCopy, options: RunningHostOptions) {
    this.#example = example;
    this.disk = disk;
    this.#options = options;
  }

  /** The host is off. Its owner calls {@link remove}, whatever comes. */
  static async make(example: HostExample, options: RunningHostOptions = {}): Promise<RunningHost> {
    return new RunningHost(example, await DiskCopy.make(options.diskPath ?? example.diskPath), options);
  }

  get guest(): VirtualMachine {
    return this.#guest ?? assert.fail("the machine is off");
  }

  /** Boots, and waits until all units are up. */
  async start(): Promise<void> {
    const guest = await this.#boot(true);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    const state = await systemState(guest);
    assert.equal(state, "running", state === "running" ? "" : await guestText(guest, "systemctl --failed --no-pager"));
    if (this.#options.stick !== undefined) await mountStick(guest);
  }

  /** Boots, and waits until the machine goes down by itself, as it does after a boot that failed. */
  async failedBoot(): Promise<void> {
    const guest = await this.#boot(false);
    await guest.waitForExit(BOOT_TIMEOUT_MS);
    await this.#stop();
  }

  async shutDown(): Promise<void> {
    await this.guest.run("systemctl poweroff --no-block");
    await this.guest.waitForExit(BOOT_TIMEOUT_MS);
    await this.#stop();
  }

  /** A machine that starts anew: a warm reset can hang in emulation. */
  async restart(): Promise<void> {
    await this.shutDown();
    await this.start();
  }

  async remove(): Promise<void> {
    await this.#stop();
    await this.disk.remove();
  }

  /** Runs `sealroot` with these words, whatever its exit code. */
  async try(...words: readonly string[]) {
    const { exitCode, stdout, stderr } = await this.guest.run(`sealroot ${words.join(" ")}`, WORK_TIMEOUT_MS);
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** Runs `sealroot`, which must succeed. */
  async run(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.try(...words);
    assert.equal(exitCode, 0, `${words.join(" ")}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** The document that a verb prints, checked against its published schema. */
  async json(verb: string, ...words: readonly string[]): Promise<ReturnType<typeof JSON.parse>> {
    const document = JSON.parse(await this.run(verb, ...words, "--json", "--quiet"));
    assert.deepEqual(faultsOf(schemaOf(verb), document), []);
    return document;
  }

  /** Shell text that must succeed; its output without the final line end. */
  async text(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.guest.run(script, WORK_TIMEOUT_MS);
    assert.equal(exitCode, 0, `${script}\n${stdout}\n${stderr}`);
    return stdout.toString().trimEnd();
  }

  /** `composefs:` and the id of the image that is the root. */
  root(): Promise<string> {
    return this.text("findmnt -no SOURCE /");
  }

  async #boot(agent: boolean): Promise<VirtualMachine> {
    const { stick, network = false, watchdog = false, tpmStateDirectory } = this.#options;
    const drives = [{ path: this.disk.path, mode: "persist" as const }];
    this.#guest = await bootSealed(this.#example, this.disk.path, {
      drives: stick === undefined ? drives : [...drives, { path: stick, mode: "read-only" }],
      ...{ agent, network, watchdog },
      ...(tpmStateDirectory === undefined ? {} : { tpmStateDirectory }),
    });
    return this.#guest;
  }

  async #stop(): Promise<void> {
    const guest = this.#guest;
    this.#guest = undefined;
    await guest?.stop();
  }
}

function schemaOf(verb: string): ReturnType<typeof JSON.parse> {
  return JSON.parse(readFileSync(join(import.meta.dirname, `../../docs/schema/${verb}.json`), "utf8"));
}
