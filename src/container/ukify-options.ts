/**
 * The arguments of ukify(1) after `--`: read by the names that ukify gives them, and used by the builder of UKIs here.
 * An argument that would have to be ignored is refused by its name.
 */
import { SealrootError } from "../errors/index.ts";
import { BOOT_PHASE_PATHS, PCR_BANKS, type PcrBank } from "../tpm/index.ts";

/** What was asked of ukify. */
export interface UkifyOptions {
  readonly output: string;
  readonly stub: string | undefined;
  readonly efiArchitecture: string | undefined;
  /** Text, or `@` and the path of a file: what goes into `.osrel`. */
  readonly osRelease: string | undefined;
  readonly kernelRelease: string | undefined;
  /** More initramfs files, after the image's own. */
  readonly initramfs: readonly string[];
  readonly microcode: string | undefined;
  readonly deviceTree: string | undefined;
  readonly splash: string | undefined;
  readonly pcrPublicKey: string | undefined;
  /** `NAME:TEXT` or `NAME:@PATH`. */
  readonly sections: readonly string[];
  /** Lines of SBAT as text, or `@` and the path of a file. */
  readonly sbat: readonly string[];
  readonly privateKey: string | undefined;
  readonly certificate: string | undefined;
  /** Whether the kernel inside is signed as well. */
  readonly signKernel: boolean;
  readonly measure: boolean;
  readonly json: "off" | "short" | "pretty";
  readonly pcrBanks: readonly PcrBank[];
  /** Of all groups. */
  readonly phases: readonly string[];
  /** By whom policies for PCR 11 are signed, in ukify's order. */
  readonly policyKeys: readonly PolicyKeyFiles[];
}

/** One of ukify's groups: a key and the phases that it signs. */
export interface PolicyKeyFiles {
  readonly privateKey: string;
  readonly publicKey: string | undefined;
  readonly phases: readonly string[];
}

/** How an argument of ukify is taken here. */
type Taken =
  | { readonly kind: "value" | "values" | "flag" }
  /** It only chooses programs that are not needed here. */
  | { readonly kind: "without-effect"; readonly hasValue: boolean }
  | { readonly kind: "refused"; readonly why: string; readonly hint: string };

const ELSEWHERE = { why: "it belongs to bootc's part of the command line", hint: "leave it out" } as const;
const NO_TOOL = {
  why: "nothing is signed by another program here",
  hint: "build without signing, then sign the UKI with that program; or give the key as a file",
} as const;
const POLICY_ELSEWHERE = {
  why: "policies that are signed elsewhere are attached to the image",
  hint: "give --pcr-private-key; or seal the image with `sealroot seal --unsigned --to-sign DIR` and `seal attach`",
} as const;
const NOT_MADE = { why: "such sections are not made here", hint: "build this UKI with ukify" } as const;

/** ukify(1) of systemd 257 to 262. */
const ARGUMENTS: Readonly<Record<string, Taken>> = {
  "--output": { kind: "value" },
  "--stub": { kind: "value" },
  "--efi-arch": { kind: "value" },
  "--os-release": { kind: "value" },
  "--uname": { kind: "value" },
  "--initrd": { kind: "values" },
  "--microcode": { kind: "value" },
  "--devicetree": { kind: "value" },
  "--splash": { kind: "value" },
  "--pcrpkey": { kind: "value" },
  "--section": { kind: "values" },
  "--sbat": { kind: "values" },
  "--secureboot-private-key": { kind: "value" },
  "--secureboot-certificate": { kind: "value" },
  "--sign-kernel": { kind: "flag" },
  "--no-sign-kernel": { kind: "flag" },
  "--measure": { kind: "flag" },
  "--no-measure": { kind: "flag" },
  "--json": { kind: "value" },
  "--pcr-banks": { kind: "value" },
  "--phases": { kind: "values" },
  "--signtool": { kind: "value" },
  "--tools": { kind: "without-effect", hasValue: true },
  "--cmdline": { kind: "refused", why: "the digest of the image is on it", hint: "use --karg before the --" },
  "--linux": { kind: "refused", ...ELSEWHERE },
  "--config": { kind: "refused", why: "no file of settings is read here", hint: "give the settings as arguments" },
  "--signing-engine": { kind: "refused", ...NO_TOOL },
  "--signing-provider": { kind: "refused", ...NO_TOOL },
  "--certificate-provider": { kind: "refused", ...NO_TOOL },
  "--secureboot-certificate-dir": { kind: "refused", ...NO_TOOL },
  "--secureboot-certificate-name": { kind: "refused", ...NO_TOOL },
  "--secureboot-certificate-validity": { kind: "refused", ...NO_TOOL },
  "--pcr-private-key": { kind: "values" },
  "--pcr-public-key": { kind: "values" },
  "--pcr-certificate": { kind: "refused", ...NO_TOOL },
  "--policy-digest": { kind: "refused", ...POLICY_ELSEWHERE },
  "--pcrsig": { kind: "refused", ...POLICY_ELSEWHERE },
  "--join-pcrsig": { kind: "refused", ...POLICY_ELSEWHERE },
  "--devicetree-auto": { kind: "refused", ...NOT_MADE },
  "--hwids": { kind: "refused", ...NOT_MADE },
  "--firmware": { kind: "refused", ...NOT_MADE },
  "--profile": { kind: "refused", ...NOT_MADE },
  "--join-profile": { kind: "refused", ...NOT_MADE },
  "--sign-profile": { kind: "refused", ...NOT_MADE },
  "--summary": { kind: "refused", why: "nothing would be built", hint: "sealroot inspect shows what a UKI holds" },
};
const SHORT: Readonly<Record<string, string>> = { "-o": "--output", "-c": "--config" };

const SIGNING_TOOLS = ["sbsign", "systemd-sbsign"];
const JSON_FORMS = ["off", "short", "pretty"] as const;
/**
 * Reads the words after `--`.
 * @throws SealrootError `usage` for a word that ukify does not know either, `unsupported` for what is not done here
 */
export function parseUkifyOptions(words: readonly string[]): UkifyOptions {
  const given = new Map<string, string[]>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const written = equals < 0 ? word : word.slice(0, equals);
    const name = SHORT[written] ?? written;
    const taken = argumentNamed(name);
    const isFlag = taken.kind === "flag";
    const value = equals >= 0 ? word.slice(equals + 1) : isFlag ? "" : rest.shift();
    if (value === undefined) throw new SealrootError("usage", `Cannot use ukify's ${name}: its value is missing`);
    if (isFlag && equals >= 0) throw new SealrootError("usage", `Cannot use ukify's ${name}: it takes no value`);
    if (taken.kind === "without-effect") continue;
    // ukify takes the last one where only one counts.
    given.set(name, taken.kind === "values" ? [...(given.get(name) ?? []), value] : [value]);
    if (isFlag) given.delete(name.startsWith("--no-") ? `--${name.slice("--no-".length)}` : `--no-${name.slice(2)}`);
  }
  return optionsOf(given);
}

function argumentNamed(name: string): Exclude<Taken, { readonly kind: "refused" }> {
  const taken = ARGUMENTS[name];
  if (taken === undefined) {
    const what = name.startsWith("-") ? "is not an argument of ukify build" : "no file is named without an option";
    throw new SealrootError("usage", `Cannot use ${JSON.stringify(name)} after --: ${what}`, {
      hint: "understood are: --output, --stub, --secureboot-private-key, --secureboot-certificate, --measure and more",
    });
  }
  if (taken.kind !== "refused") return taken;
  throw new SealrootError("unsupported", `Cannot use ukify's ${name}: ${taken.why}`, { hint: taken.hint });
}

function optionsOf(given: ReadonlyMap<string, readonly string[]>): UkifyOptions {
  const one = (name: string) => given.get(name)?.at(-1);
  const output = one("--output");
  if (output === undefined) {
    throw new SealrootError("usage", "Cannot build the UKI: ukify's --output is missing", {
      hint: "write after the options: -- --output FILE.efi",
    });
  }
  const privateKey = one("--secureboot-private-key");
  const certificate = one("--secureboot-certificate");
  if ((privateKey === undefined) !== (certificate === undefined)) {
    const missing = privateKey === undefined ? "--secureboot-private-key" : "--secureboot-certificate";
    throw new SealrootError("usage", `Cannot sign the UKI: ukify's ${missing} is missing`);
  }
  const tool = one("--signtool");
  if (tool !== undefined) checkWord("--signtool", tool, SIGNING_TOOLS);
  const json = JSON_FORMS.find((form) => form === (one("--json") ?? "off"));
  if (json === undefined) throw wrongWord("--json", one("--json") ?? "", JSON_FORMS);
  const pcrBanks = (one("--pcr-banks")?.split(",") ?? PCR_BANKS).map((name) => {
    const bank = PCR_BANKS.find((known) => known === name);
    if (bank === undefined) throw wrongWord("--pcr-banks", name, PCR_BANKS);
    return bank;
  });
  const phaseGroups = (given.get("--phases") ?? []).map((text) => text.split(/\s+/).filter(Boolean));
  return {
    output,
    stub: one("--stub"),
    efiArchitecture: one("--efi-arch"),
    osRelease: one("--os-release"),
    kernelRelease: one("--uname"),
    initramfs: given.get("--initrd") ?? [],
    microcode: one("--microcode"),
    deviceTree: one("--devicetree"),
    splash: one("--splash"),
    pcrPublicKey: one("--pcrpkey"),
    sections: given.get("--section") ?? [],
    sbat: given.get("--sbat") ?? [],
    privateKey,
    certificate,
    signKernel: given.has("--sign-kernel"),
    measure: given.has("--measure"),
    json,
    pcrBanks,
    phases: given.has("--phases") ? phaseGroups.flat() : BOOT_PHASE_PATHS,
    policyKeys: policyKeysOf(given, phaseGroups),
  };
}

/** Public keys and phases belong to the private keys of the same place. */
function policyKeysOf(
  given: ReadonlyMap<string, readonly string[]>,
  phaseGroups: readonly (readonly string[])[],
): readonly PolicyKeyFiles[] {
  const privateKeys = given.get("--pcr-private-key") ?? [];
  const publicKeys = given.get("--pcr-public-key") ?? [];
  const wrong =
    publicKeys.length > 0 && publicKeys.length !== privateKeys.length
      ? "--pcr-public-key"
      : privateKeys.length > 0 && phaseGroups.length > 0 && phaseGroups.length !== privateKeys.length
        ? "--phases"
        : undefined;
  if (wrong !== undefined) {
    throw new SealrootError(
      "usage",
      `Cannot sign policies for PCR 11: there must be one ${wrong} for each --pcr-private-key`,
    );
  }
  return privateKeys.map((privateKey, index) => ({
    privateKey,
    publicKey: publicKeys[index],
    phases: phaseGroups[index] ?? BOOT_PHASE_PATHS,
  }));
}

function checkWord(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw wrongWord(name, value, known);
}

function wrongWord(name: string, value: string, known: readonly string[]): SealrootError {
  return new SealrootError("unsupported", `Cannot use ukify's ${name} ${value}`, { expected: known.join(", ") });
}
