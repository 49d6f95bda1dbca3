/** `sealroot seal` */
import { readFile } from "node:fs/promises";
import { formatSize } from "../../bytes/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import type {
  PcrPolicyChoice,
  PinnedProgram,
  ProgramReport,
  SealedForm,
  SealOptions,
  SealReport,
} from "../../seal/index.ts";
import { BOOT_PROGRAM_OPTION, givenInterpreter } from "../shared/boot-program-option.ts";
import { buildTime, sourceDateEpoch } from "../shared/build-time.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, refuseSharedLogin, registryOptions } from "../shared/registry-options.ts";
import { SHARED_KEY_OPTION } from "../shared/shared-key-option.ts";
import { PROGRAM_SIGNING_OPTIONS, programSigner, refuseSigning } from "../shared/signing-options.ts";
import { textTable } from "../shared/table.ts";

const OPTIONS = [
  {
    flags: "-o, --output <IMAGE>",
    summary: "where the sealed image goes: oci:DIRECTORY[:TAG], docker://HOST/NAME[:TAG] …",
    required: true,
  },
  { flags: "--keys <DIR>", summary: "directory of Secure Boot keys (sealroot keys generate)" },
  ...PROGRAM_SIGNING_OPTIONS,
  {
    flags: "--unsigned",
    summary: "leave boot loader and UKI to be signed elsewhere; --keys then needs no private key",
  },
  {
    flags: "--to-sign <DIR>",
    summary: "write what is to be signed elsewhere into a new directory: programs, and a list as JSON",
    needs: ["unsigned"],
  },
  {
    flags: "--loader <FILE|sha256:HEX>",
    summary: "a signed boot loader to use instead of signing the image's; or the digest the image's must have",
  },
  {
    flags: "--stub <FILE|sha256:HEX>",
    summary: "an EFI stub for the UKI instead of the image's; or the digest the image's must have",
  },
  {
    flags: "--pcr-key <FILE|URI>",
    summary: "key of signed policies for PCR 11, as file or PKCS #11 URI (default: pcr.key in --keys, if it is there)",
  },
  { flags: "--pcr-public-key <FILE>", summary: "its public key, PEM (default: pcr.pub in --keys)" },
  {
    flags: "--pcr-phase <PATH>",
    summary:
      "a phase at which a TPM may release secrets (may be given again; default: until the system's file systems are mounted)",
    repeat: true,
  },
  {
    flags: "--sbat <TEXT|@FILE>",
    summary: "lines of SBAT for the UKI, as ukify takes them (may be given again; default: sbat.csv in --keys)",
    repeat: true,
  },
  { flags: "--karg <ARG>", summary: "add a kernel argument (may be given again)", repeat: true },
  {
    flags: "--initramfs <CARRIER>",
    summary: "minimal: our own (default); extend: the image's own and our program, without credentials",
    choices: ["minimal", "extend"],
  },
  BOOT_PROGRAM_OPTION,
  {
    flags: "--module <NAME>",
    summary: "a kernel module that the root's disk needs, for our own initramfs (may be given again)",
    repeat: true,
  },
  { flags: "--kernel <RELEASE>", summary: "the kernel to seal, of an image that has several; the others are left out" },
  { flags: "--root-uuid <UUID>", summary: "name the root file system in the sealed command line" },
  { flags: "--allow-missing-verity", summary: "seal without requiring fs-verity on the disk (composefs=?...)" },
  {
    flags: "--erofs-version <V>",
    summary:
      "name the images as bootc container ukify does: v1 and v2 as fallback, only v2, only v1 (default: v1 as composefs=)",
    choices: ["v1", "v2", "v1-only"],
  },
  SHARED_KEY_OPTION,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const seal = command({
  description: [
    "The image needs a kernel in /usr/lib/modules/VERSION/vmlinuz, systemd-boot and its stub, util-linux, quickjs (or",
    "--boot-program), and empty directories /boot and /sysroot. The result is the same image with one more layer. The",
    "same image, keys and SOURCE_DATE_EPOCH give the same bytes.",
  ].join("\n"),
  arguments: [
    {
      name: "IMAGE",
      summary: "the image to seal, such as docker://HOST/NAME[:TAG] or oci:DIRECTORY[:TAG]",
      holds: "reference",
    },
  ],
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot seal oci:debian -o oci:debian-sealed --keys keys",
    "sealroot seal oci:debian -o oci:debian-sealed --keys public --key 'pkcs11:token=sealing;object=db'",
    "sealroot seal oci:debian -o oci:debian-unsigned --unsigned --to-sign to-sign",
    "sealroot seal oci:fedora -o oci:fedora-sealed --keys keys --boot-program qjs",
    "sealroot seal oci:debian -o oci:debian-sealed --keys keys --sbat @sbat.csv",
  ],
  async run(invocation) {
    const [{ parseReference }, { sealImage }] = await Promise.all([
      import("../../oci/index.ts"),
      import("../../seal/index.ts"),
    ]);
    const signing = await signingOptions(invocation);
    const policies = await pcrPolicies(invocation);
    const source = parseReference(invocation.argument("IMAGE"));
    const output = parseReference(invocation.required("output"));
    refuseSharedLogin(invocation, [source, output]);
    const report = await sealImage({
      source,
      registry: registryOptions(invocation),
      output,
      policy: policyChoice(invocation),
      ...signing,
      policies,
      sbat: await sbatTexts(invocation),
      initramfs: invocation.option("initramfs") === "extend" ? "extend" : "minimal",
      interpreter: await givenInterpreter(invocation),
      diskModules: invocation.list("module"),
      kernelRelease: invocation.option("kernel"),
      rootUuid: invocation.option("root-uuid"),
      allowMissingVerity: invocation.flag("allow-missing-verity"),
      form: sealedForm(invocation.option("erofs-version")),
      kernelArguments: invocation.list("karg"),
      created: sourceDateEpoch(),
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(report);
    else for (const line of reportLines(report)) invocation.output.line(line);
  },
});

function sealedForm(version: string | undefined): SealedForm {
  return version === "v1" || version === "v2" || version === "v1-only" ? version : "bare";
}

async function signingOptions(invocation: Call) {
  const directory = invocation.option("keys");
  const key = invocation.option("key");
  const unsigned = invocation.flag("unsigned");
  if (directory === undefined && key === undefined && !unsigned && invocation.option("sign-command") === undefined) {
    throw new SealrootError("usage", "Cannot seal the image: give either --keys or --unsigned", {
      hint: "make keys with: sealroot keys generate keys",
    });
  }
  const programs = {
    loader: await pinnedProgram(invocation, "loader"),
    stub: await pinnedProgram(invocation, "stub"),
  };
  if (unsigned) {
    refuseSigning(invocation, "nothing is signed with --unsigned");
    return { signer: undefined, ...programs, ...(await handedOut(invocation, directory)) };
  }
  const { claimKey, loadEnrolment } = await import("../../keys/index.ts");
  const kind = invocation.flag("allow-missing-verity") ? "lenient" : "strict";
  const signer = await programSigner(invocation, directory);
  if (directory === undefined) return { signer, enrolment: undefined, ...programs };
  return {
    signer,
    enrolment: await loadEnrolment(directory, buildTime()),
    keyUse: claimKey(directory, kind, invocation.flag("allow-shared-key")),
    ...programs,
  };
}

/** Policies for PCR 11, when there is a key for them. */
async function pcrPolicies(invocation: Call): Promise<PcrPolicyChoice | undefined> {
  const { openPolicyKey } = await import("../../keys/index.ts");
  const key = await openPolicyKey(
    {
      directory: invocation.option("keys"),
      key: invocation.option("pcr-key"),
      publicKey: invocation.option("pcr-public-key"),
      secret: { file: invocation.option("passphrase-file"), mayAsk: true },
    },
    invocation.flag("unsigned"),
  );
  const phases = invocation.list("pcr-phase");
  if (key !== undefined) return { ...key, phasePaths: await phasePaths(phases) };
  if (phases.length === 0) return undefined;
  throw new SealrootError("usage", "Cannot use --pcr-phase: there is no key for policies", {
    hint: "give --pcr-key FILE, or --keys DIR with pcr.key",
  });
}

/** Those that are named, or that of the directory of keys. */
async function sbatTexts(invocation: Call): Promise<readonly string[]> {
  const given = invocation.list("sbat");
  const directory = invocation.option("keys");
  if (given.length === 0) {
    const own = directory === undefined ? undefined : (await import("../../keys/index.ts")).loadSbat(directory);
    return own === undefined ? [] : [own];
  }
  const { checkSbatText } = await import("../../pe/index.ts");
  return await Promise.all(
    given.map(async (text) => {
      const content = text.startsWith("@") ? await readText(text.slice(1)) : text;
      checkSbatText(content, `--sbat ${text.startsWith("@") ? text : "TEXT"}`);
      return content;
    }),
  );
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read the lines of SBAT", { path });
  });
}

async function phasePaths(given: readonly string[]): Promise<readonly string[]> {
  return given.length > 0 ? given : (await import("../../seal/index.ts")).UNLOCK_PHASES;
}

/** The keys of the directory are enrolled, and used by others. */
async function handedOut(
  invocation: Call,
  directory: string | undefined,
): Promise<Pick<SealOptions, "enrolment" | "handOut">> {
  const { loadEnrolment, requireCertificate } = await import("../../keys/index.ts");
  const enrolment = directory === undefined ? undefined : await loadEnrolment(directory, buildTime());
  const target = invocation.option("to-sign");
  if (target === undefined) return { enrolment };
  const certificate = invocation.option("certificate");
  const certificateDer =
    certificate === undefined && directory === undefined
      ? undefined
      : requireCertificate({ directory, certificate, secret: { mayAsk: false } });
  const { checkVacantDirectory, writeToSign } = await import("../../seal/index.ts");
  checkVacantDirectory(target);
  return {
    enrolment,
    handOut: async (programs, { reference, manifestDigest }) => {
      const paths = await phasePaths(invocation.list("pcr-phase"));
      await writeToSign(target, programs, { reference, manifestDigest, certificateDer, phasePaths: paths });
    },
  };
}

/** `sha256:HEX` is a digest; a file of such a name can be given as `./sha256:HEX`. */
async function pinnedProgram(invocation: Call, option: "loader" | "stub"): Promise<PinnedProgram | undefined> {
  const text = invocation.option(option);
  if (text === undefined) return undefined;
  if (!text.startsWith("sha256:")) return { type: "file", path: text, bytes: await readProgram(option, text) };
  const hex = text.slice("sha256:".length).toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { type: "sha256", hex };
  throw new SealrootError("usage", `Cannot use --${option} ${text}: a SHA-256 digest has 64 hex digits`, {
    hint: "seal shows the digests of what it took from the image",
  });
}

async function readProgram(option: "loader" | "stub", path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw asSealrootError(error, `Cannot read the ${option === "loader" ? "boot loader" : "EFI stub"}`, { path });
  });
}

function reportLines(report: SealReport): string[] {
  return textTable([
    ["image", report.reference],
    ["manifest", report.manifestDigest],
    ["kernel", report.kernelRelease],
    ...report.images.map(({ id, version }, index) => [index === 0 ? "composefs" : `fallback (v${version})`, id]),
    ["command line", report.commandLine],
    ["systemd-boot", programLine(report.loader)],
    ["stub", programLine(report.stub)],
    ["UKI", `${report.ukiPath} (${formatSize(report.ukiSizeBytes)}, ${report.signed ? "signed" : "not signed"})`],
    ...policyRows(report.policies),
    ["initramfs", formatSize(report.initramfsSizeBytes)],
    ["added layer", formatSize(report.addedLayerSizeBytes)],
  ]);
}

function policyRows(policies: SealReport["policies"]): string[][] {
  if (policies === null) return [];
  const { key, signedPhases } = policies;
  const phases = signedPhases.length === 0 ? "not signed" : `signed for ${signedPhases.join(", ")}`;
  return [["PCR 11 policy", `${phases} (key sha256:${key})`]];
}

function programLine({ version, sha256 }: ProgramReport): string {
  return `${version} (sha256:${sha256})`;
}
