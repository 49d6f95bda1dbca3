/** What a TPM will have measured when something has been started, as far as that can be known before. */
import { toHex } from "../bytes/index.ts";
import type { FatReader } from "../disk/index.ts";
import {
  authenticodeDigest,
  commandLineOf,
  expectedUkiPcrs,
  findSection,
  type PeImage,
  parsePe,
  readUki,
  sectionContent,
} from "../pe/index.ts";
import {
  BOOT_PHASE_PATHS,
  expectedArgumentsPcr,
  expectedProgramsPcr,
  isSignedBy,
  PCR,
  type PcrBank,
  type PcrSignatures,
  parsePcrSignatures,
  parsePolicyKey,
  pcrPolicyDigest,
  policyKeyFingerprint,
} from "../tpm/index.ts";
import { type Part, PartDraft } from "./part.ts";

/** SHA-1 is left out: no policy should trust it. */
const BANKS = ["sha256", "sha384", "sha512"] as const satisfies readonly PcrBank[];
/** Right after the stub, where systemd has no phase yet. */
const PATHS = ["", ...BOOT_PHASE_PATHS];
const PROGRAM_MAX_BYTES = 2 ** 30;
const GLOBAL_ADDONS = ["loader", "addons"];
/** Sections of add-ons that are measured by themselves. */
const OTHER_ADDON_SECTIONS = [".dtb", ".dtbauto", ".initrd", ".ucode"];

/** PCR 11 of a boot with a UKI, at each of the phases. The whole UKI is hashed for each bank, so that is done once. */
export class UkiRegisters {
  readonly image: PeImage;
  readonly #values = new Map<PcrBank, readonly Uint8Array[]>();

  constructor(image: PeImage) {
    this.image = image;
  }

  /** In the order of the phases. @throws SealrootError as expectedUkiPcrs */
  values(bank: PcrBank): readonly Uint8Array[] {
    const values = this.#values.get(bank) ?? expectedUkiPcrs(this.image, bank, PATHS);
    this.#values.set(bank, values);
    return values;
  }
}

/** PCR 11 of a boot with this UKI, phase by phase. */
export function ukiMeasurementParts(registers: UkiRegisters): Part[] {
  const values = BANKS.map((bank) => ({ bank, values: registers.values(bank).map(toHex) }));
  return PATHS.map((path, index) => {
    const draft = new PartDraft("measurement", `PCR ${PCR.uki} ${path === "" ? "after the stub" : `at ${path}`}`);
    for (const { bank, values: ofBank } of values) draft.fact(bank, ofBank[index]);
    return draft.finish();
  });
}

/** Which policies for PCR 11 a UKI has signatures of; undefined without any. */
export function signedPoliciesPart(registers: UkiRegisters): Part | undefined {
  const { image } = registers;
  const section = findSection(image, ".pcrsig");
  if (section === undefined) return undefined;
  const draft = new PartDraft("signed policies", section.name);
  return draft
    .attempt(() => {
      const signatures = parsePcrSignatures(sectionContent(image, section), section.name);
      const key = findSection(image, ".pcrpkey");
      const publicKey = key && parsePolicyKey(sectionContent(image, key), key.name);
      if (publicKey !== undefined) draft.fact("key", policyKeyFingerprint(publicKey));
      for (const bank of BANKS) addPolicies(draft, registers, bank, signatures, publicKey);
    })
    .finish();
}

/** By the phase at which they hold. */
function addPolicies(
  draft: PartDraft,
  registers: UkiRegisters,
  bank: PcrBank,
  signatures: PcrSignatures,
  publicKey: ReturnType<typeof parsePolicyKey> | undefined,
): void {
  const entries = signatures[bank] ?? [];
  if (entries.length === 0) return;
  const policies = registers.values(bank).map((value) => toHex(pcrPolicyDigest(PCR.uki, bank, value)));
  const texts = entries.map((entry) => {
    const index = policies.indexOf(entry.pol);
    const phase = index < 0 ? `of another UKI (${entry.pol})` : PATHS[index] || "after the stub";
    return publicKey === undefined || isSignedBy(entry, bank, publicKey)
      ? phase
      : `${phase}, not by the key of .pcrpkey`;
  });
  draft.fact(bank, texts);
}

/**
 * PCR 4 and 12 of a boot by this loader that starts this UKI, when Secure Boot is on and the first boot option of the
 * firmware starts; none of what cannot be known.
 *
 * @param ukiPath as boot entries have it
 */
export function entryMeasurementParts(esp: FatReader, loader: Uint8Array, ukiPath: string): Part[] {
  const path = ukiPath.split(/[/\\]/).filter((word) => word !== "");
  const program = esp.read(path, PROGRAM_MAX_BYTES);
  if (program === undefined) return [];
  const uki = readUki(program, ukiPath);
  const folder = [...path.slice(0, -1), `${path.at(-1)}.extra.d`];
  const addons = [...addonsIn(esp, GLOBAL_ADDONS), ...addonsIn(esp, folder)];
  const images = [parsePe(loader, "the boot loader"), uki.image, ...addons];
  const parts = [
    measurementPart(PCR.programs, (bank) =>
      expectedProgramsPcr(
        bank,
        images.map((image) => authenticodeDigest(image, bank)),
      ),
    ),
  ];
  const isKnown = !hasCompanions(esp, folder) && addons.every(hasOnlyArguments);
  if (!isKnown) return parts;
  const lines = addons
    .filter((addon) => isFor(addon, uki.kernelRelease))
    .flatMap((addon) => commandLineOf(addon, "the add-on") ?? []);
  return [...parts, measurementPart(PCR.arguments, (bank) => expectedArgumentsPcr(bank, lines))];
}

function measurementPart(pcr: number, valueIn: (bank: (typeof BANKS)[number]) => Uint8Array): Part {
  const draft = new PartDraft("measurement", `PCR ${pcr}`);
  for (const bank of BANKS) draft.fact(bank, toHex(valueIn(bank)));
  return draft.finish();
}

/** In the order in which systemd-stub loads them. */
function addonsIn(esp: FatReader, folder: readonly string[]): PeImage[] {
  return namesIn(esp, folder)
    .filter((name) => name.toLowerCase().endsWith(".addon.efi"))
    .sort()
    .flatMap((name) => {
      const bytes = esp.read([...folder, name], PROGRAM_MAX_BYTES);
      return bytes === undefined ? [] : [parsePe(bytes, name)];
    });
}

/** Credentials and extensions are measured, too, in a form that is made at boot (systemd-stub(7)). */
function hasCompanions(esp: FatReader, folder: readonly string[]): boolean {
  const own = namesIn(esp, folder).some((name) => /\.(?:cred|raw)$/i.test(name));
  return own || namesIn(esp, ["loader", "credentials"]).some((name) => /\.cred$/i.test(name));
}

function hasOnlyArguments(addon: PeImage): boolean {
  return OTHER_ADDON_SECTIONS.every((name) => findSection(addon, name) === undefined);
}

/** An add-on for another kernel is loaded, and left alone. */
function isFor(addon: PeImage, kernelRelease: string | undefined): boolean {
  const section = findSection(addon, ".uname");
  if (section === undefined) return true;
  const text = Buffer.from(sectionContent(addon, section))
    .toString()
    .split(/[\0\n]/, 1)[0];
  return text === kernelRelease;
}

function namesIn(esp: FatReader, folder: readonly string[]): string[] {
  return (esp.list(folder) ?? []).filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
}
