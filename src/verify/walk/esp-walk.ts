/** What is known of a system while it is walked from its ESP to its objects, on a disk or running; and the report of it. */
import type { EntryList } from "../boot/boot-entries.ts";
import type { ChainProgram, CheckedUki } from "../boot/check-uki.ts";
import type { EspFiles } from "../boot/esp-files.ts";
import type { FirmwareKeys } from "../boot/firmware-keys.ts";
import { foreignFiles } from "../boot/foreign-files.ts";
import { unsignedInputs } from "../boot/unsigned-inputs.ts";
import { ImageObjects } from "../objects/image-objects.ts";
import type { VerifyOptions } from "../policy/options.ts";
import { type JudgedChain, judgedChain, judgePolicy } from "../policy/policy.ts";
import { ChainDraft } from "../report/link.ts";
import { stateOf, type VerifyReport } from "../report/report.ts";

export class EspWalk {
  readonly chain = new ChainDraft();
  /** Of all images that were found. */
  readonly objects = new ImageObjects();
  /** Undefined as long as there is none that can be read. */
  esp: EspFiles | undefined;
  keys: FirmwareKeys = { databases: [] };
  entries: EntryList = { entries: [], unusable: [] };
  hashed: VerifyReport["hashed"] = { objects: 0, bytes: 0 };
  hasFilesWithoutVerity = false;
  readonly #ukis: CheckedUki[] = [];
  readonly #judged: JudgedChain[] = [];
  #programs: readonly ChainProgram[] = [];

  /** Programs of the chain beside the UKIs of entries. */
  addPrograms(programs: readonly ChainProgram[]): void {
    this.#programs = [...this.#programs, ...programs];
  }

  /** @param subject whose command line the policy judges: an entry, or a UKI that is started without one */
  addUki(subject: string, uki: CheckedUki): void {
    this.#ukis.push(uki);
    this.#judged.push(judgedChain(subject, uki));
  }

  async report(
    target: string,
    kind: VerifyReport["kind"],
    { policy, materials }: VerifyOptions,
  ): Promise<VerifyReport> {
    if (materials !== undefined) {
      materials.programs = this.#programs;
      materials.databases = this.keys.databases;
    }
    await judgePolicy(this.chain, policy, this.#judged, this.#programs, this.hasFilesWithoutVerity);
    const links = this.chain.finish();
    const { esp } = this;
    const known = this.#programs.map(({ path }) => path);
    return {
      ...{ target, kind, state: stateOf(links), links, hashed: this.hashed },
      unsigned: esp === undefined ? [] : unsignedInputs(esp, this.#ukis, this.entries.entries),
      foreign: esp === undefined ? [] : await foreignFiles(esp, this.entries, known, this.keys.databases),
    };
  }
}
