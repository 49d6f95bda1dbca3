/** All states that a power cut can leave of a recorded run, each looked at offline; some are kept, to be booted. */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { SignatureDatabases } from "../../../src/keys/index.ts";
import { CutDisk } from "./cut-disk.ts";
import { type Epoch, epochsOf, randomNumbers, survivingWrites, writeOf } from "./cut-points.ts";
import type { ReadAt } from "./ext4-reader.ts";
import { espFaults, rootFaults } from "./file-system-check.ts";
import { StateChecker, type StateVerdict } from "./state-check.ts";
import { VerifiedFiles } from "./verified-files.ts";
import { WriteLog } from "./write-log.ts";

export interface CutPlan {
  /** The disk before the run. */
  readonly basePath: string;
  readonly logPath: string;
  /** Takes copies of the file systems; best in memory. */
  readonly directory: string;
  readonly databases: readonly SignatureDatabases[];
  /** Of the flushes of the root file system, each n-th is looked at; of those of the ESP, each. */
  readonly everyRootFlush: number;
  /** So many states between two flushes, where these are looked at. */
  readonly cutsBetween: number;
}

export interface CutPoint {
  /** The last flush before the cut. */
  readonly flush: number;
  /** 0: nothing after the flush is there; otherwise the number of the random cut. */
  readonly cut: number;
}

export interface CutState extends CutPoint, StateVerdict {}

/** What came of all states. */
export interface CutTally {
  readonly flushes: number;
  readonly espFlushes: number;
  readonly states: number;
  readonly filesVerified: number;
  /** In the order of time. */
  readonly order: readonly CutState[];
  /** By what the boot loader starts by itself. */
  readonly defaults: ReadonlyMap<string, number>;
  /** Each fault, with the states that have it. */
  readonly faults: ReadonlyMap<string, readonly string[]>;
}

/** @throws SealrootError `corrupt` for a broken log */
export async function cutEverywhere(plan: CutPlan): Promise<CutTally> {
  using disk = await CutDisk.open(plan.basePath, plan.directory);
  using log = new WriteLog(plan.logPath);
  using run = new CutRun(plan, disk);
  let [flushes, espFlushes] = [0, 0];
  await run.look(0, 0);
  for (const epoch of epochsOf(log.entries())) {
    flushes++;
    const writes = epoch.writes.map((entry) => writeOf(log, entry));
    const touchesEsp = writes.some((write) => disk.isOfEsp(write));
    if (touchesEsp) espFlushes++;
    const isWanted = touchesEsp || flushes % plan.everyRootFlush === 0;
    for (let cut = 1; isWanted && cut <= plan.cutsBetween; cut++) await run.tryCut(epoch, writes, cut);
    for (const write of writes) disk.apply(write);
    if (isWanted) await run.look(epoch.flush, 0);
  }
  return { flushes, espFlushes, ...run.tally() };
}

class CutRun implements Disposable {
  readonly #plan: CutPlan;
  readonly #disk: CutDisk;
  readonly #files: VerifiedFiles;
  readonly #checker: StateChecker;
  readonly #defaults = new Map<string, number>();
  readonly #faults = new Map<string, string[]>();
  readonly #order: CutState[] = [];
  /** The root file system with its journal replayed, of this version of the disk's. */
  #replayed: { readonly version: number; readonly fd: number; readonly faults: readonly string[] } | undefined;

  constructor(plan: CutPlan, disk: CutDisk) {
    this.#plan = plan;
    this.#disk = disk;
    this.#files = new VerifiedFiles(disk.blockVersions);
    this.#checker = new StateChecker(plan.databases, this.#files);
  }

  async tryCut({ flush }: Epoch, writes: Parameters<typeof survivingWrites>[0], cut: number): Promise<void> {
    const undo = this.#disk.tryOut(survivingWrites(writes, randomNumbers(flush * 1000 + cut)));
    try {
      await this.look(flush - 1, cut);
    } finally {
      undo();
    }
  }

  async look(flush: number, cut: number): Promise<void> {
    const root = await this.#replay();
    const read: ReadAt = (offset, sizeBytes) => {
      const bytes = Buffer.alloc(sizeBytes);
      readSync(root.fd, bytes, 0, sizeBytes, offset);
      return bytes;
    };
    const verdict = await this.#checker.check({ esp: this.#disk.readEsp, root: read });
    const faults = [...espFaults(this.#disk.espPath), ...root.faults, ...verdict.faults];
    const name = verdict.defaultId ?? "nothing";
    this.#defaults.set(name, (this.#defaults.get(name) ?? 0) + 1);
    for (const fault of faults) this.#faults.set(fault, [...(this.#faults.get(fault) ?? []), `${flush}/${cut}`]);
    this.#order.push({ ...verdict, faults, flush, cut });
  }

  tally() {
    const filesVerified = this.#files.verifiedCount;
    const [order, defaults, faults] = [this.#order, this.#defaults, this.#faults];
    return { states: order.length, filesVerified, order, defaults, faults };
  }

  [Symbol.dispose](): void {
    if (this.#replayed !== undefined) closeSync(this.#replayed.fd);
  }

  async #replay() {
    const version = this.#disk.rootVersion;
    if (this.#replayed?.version === version) return this.#replayed;
    if (this.#replayed !== undefined) closeSync(this.#replayed.fd);
    this.#replayed = undefined;
    const path = join(this.#plan.directory, "replayed.img");
    await this.#disk.copyRoot(path);
    const faults = rootFaults(path);
    this.#replayed = { version, fd: openSync(path, "r"), faults };
    return this.#replayed;
  }
}

/** Whole disks of some states, to be booted. @returns where each is */
export async function copyStates(
  { basePath, logPath, directory }: Pick<CutPlan, "basePath" | "logPath" | "directory">,
  wanted: readonly CutPoint[],
  pathOf: (point: CutPoint) => string,
): Promise<void> {
  using disk = await CutDisk.open(basePath, directory);
  using log = new WriteLog(logPath);
  const copy = (point: CutPoint) => disk.copyDisk(pathOf(point));
  for (const point of wanted) if (point.flush === 0 && point.cut === 0) await copy(point);
  for (const { flush, writes } of epochsOf(log.entries())) {
    const made = writes.map((entry) => writeOf(log, entry));
    for (const point of wanted.filter((one) => one.flush === flush - 1 && one.cut !== 0)) {
      const undo = disk.tryOut(survivingWrites(made, randomNumbers(flush * 1000 + point.cut)));
      await copy(point);
      undo();
    }
    for (const write of made) disk.apply(write);
    for (const point of wanted.filter((one) => one.flush === flush && one.cut === 0)) await copy(point);
  }
}
