/** A disk with a boot loader and two systems, of which the newer one has three tries; and what each start of it does. */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EspFile, planPartitions, writeEsp, writePartitionTable } from "../../../src/disk/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../../src/platform/index.ts";
import { startVirtualMachine } from "../../../src/vm/index.ts";
import { reportingProgram } from "./efi-program.ts";

/** How the newer system is offered to the boot loader. */
export const FORMS = ["conf-efi", "conf-uki", "conf-linux", "efi-linux"] as const;
export type Form = (typeof FORMS)[number];

const UKI = "EFI/Linux/bootc/new.efi";
const MIB = 1024 * 1024;
/** Firmware and boot loader take 4 s on an idle machine; one that waits for ever is seen for what it is after this. */
const START_TIMEOUT_MS = 60_000;

/** What happened at one start of the machine. */
export interface Start {
  /** Which system ran; `none`: the boot loader returned to the firmware, `restart`: it started the machine anew. */
  readonly ran: "new" | "old" | "none" | "restart";
  /** What the loader says is counted: the variable LoaderBootCountPath, with `/`. */
  readonly counted: string | undefined;
  /** The newer system's file name after the start. */
  readonly fileName: string;
}

export class CountingDisk implements Disposable {
  readonly #directory: TemporaryDirectory;
  readonly #espStartBytes: number;
  readonly #folder: string;

  private constructor(directory: TemporaryDirectory, espStartBytes: number, form: Form) {
    this.#directory = directory;
    this.#espStartBytes = espStartBytes;
    this.#folder = form === "efi-linux" ? "EFI/Linux" : "loader/entries";
  }

  /**
   * @param loader systemd-boot
   * @param counter of the newer system, such as `+3`, or nothing
   * @param broken the newer system cannot be loaded
   */
  static async make(loader: Uint8Array, form: Form, counter: string, broken = false): Promise<CountingDisk> {
    const directory = temporaryDirectory({ purpose: "loader" });
    const plan = planPartitions({
      diskSizeBytes: 140 * MIB,
      espSizeBytes: 64 * MIB,
      architecture: "amd64",
      seed: "loaders",
    });
    const disk = { directory: directory.path, path: "disk" };
    writeFileSync(join(directory.path, "disk"), "");
    truncateSync(join(directory.path, "disk"), plan.diskSizeBytes);
    await writePartitionTable(disk, plan);
    const files = [
      { path: "EFI/BOOT/BOOTX64.EFI", bytes: loader },
      { path: "loader/loader.conf", bytes: Buffer.from("timeout 0\n") },
      { path: "old.efi", bytes: reportingProgram("RAN old [", "ID=os\n") },
      {
        path: "loader/entries/os_1-1-0.conf",
        bytes: Buffer.from("title old\nversion 1\nlinux /old.efi\nsort-key os-1\n"),
      },
      ...newSystem(form, counter, broken),
    ];
    await writeEsp(disk, { partition: plan.esp, epochSeconds: 0, directories: ["EFI/Linux"], files });
    return new CountingDisk(directory, plan.esp.startBytes, form);
  }

  [Symbol.dispose](): void {
    this.#directory.remove();
  }

  /** Switches the machine on, waits until it is off, and looks. */
  async start(): Promise<Start> {
    const path = join(this.#directory.path, "disk");
    const guest = await startVirtualMachine({
      drives: [{ path, mode: "persist" }],
      agent: false,
      cpus: 1,
      memoryMiB: 256,
    });
    let waits = false;
    try {
      await guest.waitForExit(START_TIMEOUT_MS).catch(() => {
        waits = true;
      });
    } finally {
      await guest.stop();
    }
    const [, name, variable = ""] = /RAN (new|old) \[([^\]]*)\]/.exec(guest.consoleText.replaceAll("\n", "")) ?? [];
    const counted = variable === "" ? undefined : variable.replaceAll("\\", "/");
    const ran = name === "new" || name === "old" ? name : waits ? "none" : "restart";
    return { ran, counted, fileName: await this.#newSystem() };
  }

  /** Gives the newer system another name, as systemd-bless-boot does. */
  async rename(fileName: string): Promise<void> {
    await this.#mtools("mren", [`::/${this.#folder}/${await this.#newSystem()}`, `::/${this.#folder}/${fileName}`]);
  }

  async #newSystem(): Promise<string> {
    const { stdout } = await this.#mtools("mdir", ["-b", `::/${this.#folder}`]);
    const names = stdout.toString().split("\n");
    return names.map((line) => line.slice(line.lastIndexOf("/") + 1)).find((name) => name.startsWith("os_1-2")) ?? "";
  }

  #mtools(tool: string, args: readonly string[]) {
    const image = `${join(this.#directory.path, "disk")}@@${this.#espStartBytes}`;
    return runTool(tool, ["-i", image, ...args], { env: { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" } });
  }
}

function newSystem(form: Form, counter: string, broken: boolean): EspFile[] {
  const osRelease = "ID=os\nNAME=new\nPRETTY_NAME=new\nVERSION_ID=2\nIMAGE_ID=os-0\n";
  const program = broken ? Buffer.from("not a program") : reportingProgram("RAN new [", osRelease);
  if (form === "efi-linux") return [{ path: `EFI/Linux/os_1-2-1${counter}.efi`, bytes: program }];
  const key = form.slice("conf-".length);
  const text = `title new\nversion 2\n${key} /${UKI}\nsort-key os-0\n`;
  return [
    { path: UKI, bytes: program },
    { path: `loader/entries/os_1-2-1${counter}.conf`, bytes: Buffer.from(text) },
  ];
}
