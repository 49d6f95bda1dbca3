/** A single EFI program: a UKI, with what it says of the root, or another one with its signature alone. */
import { readFileSync, statSync } from "node:fs";
import { deploymentOfUkiPath } from "../../bls/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import { findSection, parsePe, systemdComponentOf } from "../../pe/index.ts";
import { checkUki } from "../boot/check-uki.ts";
import { checkFirmwareKeys } from "../boot/firmware-keys.ts";
import { checkProgram } from "../boot/program-signature.ts";
import { machineTables } from "../boot/unsigned-inputs.ts";
import type { VerifyOptions } from "../policy/options.ts";
import { judgedChain, judgePolicy } from "../policy/policy.ts";
import { ChainDraft } from "../report/link.ts";
import { stateOf, type VerifyReport } from "../report/report.ts";

/** More than any UKI. */
const PROGRAM_MAX_BYTES = 2 ** 30;

/** @throws SealrootError for a file that cannot be read, and `corrupt` for one that is no EFI program */
export async function verifyProgram(given: string, options: VerifyOptions): Promise<VerifyReport> {
  return await runStep(options.events, "check the program", async () => {
    const bytes = readProgram(given);
    const image = parsePe(bytes, given);
    const isUki = findSection(image, ".linux") !== undefined;
    const chain = new ChainDraft();
    const { keys, sbatLevel } = options;
    const draft = chain.link("keys", keys?.name ?? "of the firmware");
    const firmware = await checkFirmwareKeys(draft, keys, [], sbatLevel);
    const { materials } = options;
    if (materials !== undefined) {
      materials.programs = [{ what: isUki ? "the UKI" : "the program", path: given, bytes }];
      materials.databases = firmware.databases;
    }
    if (isUki) return await verifyUki(chain, given, bytes, firmware, options);
    const loader = chain.link("loader", given);
    await checkProgram(loader, bytes, "the program", given, firmware);
    const component = systemdComponentOf(image);
    loader.fact(
      component === undefined ? "it is no program of systemd" : `${component.component} ${component.version}`,
    );
    await judgePolicy(chain, options.policy, [], [{ what: "the program", path: given, bytes }], false);
    return report(chain, given, "EFI program");
  });
}

async function verifyUki(
  chain: ChainDraft,
  given: string,
  bytes: Uint8Array,
  keys: Awaited<ReturnType<typeof checkFirmwareKeys>>,
  { policy, materials }: VerifyOptions,
): Promise<VerifyReport> {
  const deploymentId = deploymentOfUkiPath(given);
  const uki = await checkUki(chain, { path: given, bytes, addons: [], addonsAreLoaded: false, deploymentId }, keys);
  for (const { id, algorithm } of uki?.composefsArguments ?? []) {
    materials?.images.push({ id, algorithm, rule: undefined });
    chain.link("image", id).find("unchecked", "only its digest is at hand", {
      remedy: "verify the disk or the OCI image that has it",
    });
  }
  if (uki !== undefined) {
    await judgePolicy(chain, policy, [judgedChain(given, uki)], uki.programs, false);
  }
  return { ...report(chain, given, "UKI"), unsigned: uki === undefined ? [] : machineTables([uki]) };
}

function report(chain: ChainDraft, target: string, kind: VerifyReport["kind"]): VerifyReport {
  const links = chain.finish();
  return { target, kind, state: stateOf(links), links, unsigned: [], foreign: [], hashed: { objects: 0, bytes: 0 } };
}

function readProgram(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size <= PROGRAM_MAX_BYTES) return readFileSync(path);
    throw new SealrootError("unsupported", `Cannot read ${path}: it has ${size} bytes`, { path });
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
}
