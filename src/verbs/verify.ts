/** `sealroot verify TARGET`. */

import { resolve } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { VerifyOptions } from "../verify/index.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "./shared/command.ts";
import { checkOutputFile, writePage } from "./shared/output-file.ts";
import { POLICY_OPTIONS, policyChoice } from "./shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "./shared/registry-options.ts";
import { REPOSITORY_PATH_OPTIONS, repositoryPath } from "./shared/repository-option.ts";
import { EVIDENCE_OPTIONS, evidenceChoice, reportWithEvidence, type Verification } from "./verify-evidence.ts";

const OPTIONS = [
  { flags: "--booted", summary: "the system that runs, in place of TARGET; needs root" },
  { flags: "--html <FILE>", summary: "also write the result as one page, the chain drawn, readable without scripts" },
  { flags: "--keys <DIR>", summary: "the firmware has the keys of this directory, whatever is enrolled" },
  {
    flags: "--sbat-level <FILE>",
    summary: "shim refuses what this level says (SbatLevel.csv of keys revoke --sbat); of --booted: shim's own",
    excludes: ["check-evidence"],
  },
  {
    flags: "--require-karg <ARG>",
    summary: "every command line must have this argument, KEY or KEY=VALUE (repeatable)",
    repeat: true,
  },
  {
    flags: "--require-key <FILE>",
    summary: "this certificate, or one of several, must have signed every program (repeatable)",
    repeat: true,
  },
  { flags: "--forbid-missing-verity", summary: "nothing may be accepted without fs-verity" },
  ...EVIDENCE_OPTIONS,
  ...REPOSITORY_PATH_OPTIONS,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

const ARGUMENTS = [
  { name: "TARGET", summary: "disk, image, UKI or another EFI program", optional: true, holds: "reference" },
] as const satisfies readonly ArgumentSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

/** A variable of firmware; real ones have a hundred bytes. */
const SBAT_LEVEL_MAX_BYTES = 64 << 10;

export const verifyVerb = command({
  description: `Says why a system is to be trusted: each link from the keys of the firmware over boot loader, boot entry, UKI,
command line and image to the last object, by which key or digest it was checked, and the first link that does not hold, with
what was expected, what was found and the way out. Exits with 0 when every link holds, with 1 when not, also with --json.

A link is verified, or broken; weaker, when it holds but promises less than a sealed system does (nobody at hand trusts the
signer, an image is accepted without fs-verity); or unchecked, when it cannot be judged from here or nothing vouches for it by
design: /etc and /var, if they are kept. What is loaded at boot though nobody signed it is listed with what it can change on
this system.

TARGET is a disk file or device, an image anywhere (docker://…, oci:DIR:TAG …) or of a repository by its tag or digest (--repo),
a UKI or another EFI program. Nothing is mounted and nothing is written; a disk file needs no privileges. Without --keys, the
keys count that disk or image itself enrols: they say whether it is whole, not whose it is.

With --evidence the result and what it is about become one document that somebody else can judge: image, layers, programs with
their signatures, keys, disk. Of the system that runs, --nonce has the TPM vouch for it. --check-evidence judges such a document
without the system; given a TARGET too, it says what is not as it was.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot verify disk.img",
    "sealroot verify disk.img --keys keys --forbid-missing-verity",
    "sealroot verify oci:os:v1 --require-key keys/db.pem",
    "sealroot verify os.efi --keys keys",
    "sealroot verify disk.img --sbat-level keys/SbatLevel.csv",
    "sealroot verify --booted",
    "sealroot verify --booted --evidence os.json --nonce 5f3a9c",
    "sealroot verify --check-evidence os.json --nonce 5f3a9c --attestation-key os.pem --keys keys",
  ],
  async run(invocation) {
    const { output } = invocation;
    const page = invocation.option("html");
    const target = invocation.optionalArgument("TARGET");
    const evidence = evidenceChoice(invocation);
    const isBooted = invocation.flag("booted");
    if (target === undefined ? !isBooted && evidence.checked === undefined : isBooted) throw oneTarget();
    for (const [path, what] of [[page, "page"], ...evidence.outputs] as const) {
      for (const input of [target, evidence.checked]) if (input !== undefined) refuseInput(path, what, input);
      checkOutputFile(path, what);
    }
    const { reportHtml, reportJson, reportLines } = await import("../verify/index.ts");
    using repository = await openGiven(invocation);
    const options = { ...(await optionsOf(invocation)), repository };
    const report = await reportWithEvidence(evidence, options, isBooted ? verifyRunning : target && ofTarget(target));
    if (page !== undefined) await writePage(page, reportHtml(report));
    if (invocation.json) output.json(reportJson(report));
    else for (const line of reportLines(report)) output.line(line);
    return report.state === "broken" ? 1 : 0;
  },
});

async function optionsOf(invocation: Call): Promise<VerifyOptions> {
  const keys = invocation.option("keys");
  const { databaseOfDirectory, loadCertificate } = await import("../keys/index.ts");
  return {
    keys: keys === undefined ? undefined : databaseOfDirectory(keys),
    sbatLevel: await sbatLevel(invocation.option("sbat-level")),
    policy: {
      kernelArguments: invocation.list("require-karg"),
      certificates: invocation.list("require-key").map(loadCertificate),
      forbidMissingVerity: invocation.flag("forbid-missing-verity"),
    },
    repositoryFirst: invocation.option("repo") !== undefined,
    registry: registryOptions(invocation),
    sourcePolicy: policyChoice(invocation),
    events: invocation.events,
  };
}

async function sbatLevel(path: string | undefined): Promise<VerifyOptions["sbatLevel"]> {
  if (path === undefined) return undefined;
  const [{ parseSbatLevel }, { readBoundedFile }] = await Promise.all([
    import("../pe/index.ts"),
    import("../platform/index.ts"),
  ]);
  const content = await readBoundedFile(path, SBAT_LEVEL_MAX_BYTES).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot read the level of SBAT", { path });
  });
  return parseSbatLevel(content, path);
}

function oneTarget(): SealrootError {
  return new SealrootError("usage", "Cannot verify: one thing is to be verified", {
    hint: "name a disk, an image or a UKI, or give --booted for the system that runs",
  });
}

function ofTarget(target: string): Verification {
  return async (options) => {
    const { verify } = await import("../verify/index.ts");
    return { report: await verify(target, options) };
  };
}

async function verifyRunning(options: VerifyOptions): ReturnType<Verification> {
  const [{ openHost }, verification] = await Promise.all([import("../host/index.ts"), import("../verify/index.ts")]);
  using opened = openHost();
  if (opened !== undefined) {
    const report = await verification.verifyBooted(opened.places, options);
    if (options.materials === undefined) return { report };
    const { runningParts } = await import("../evidence/index.ts");
    return { report, running: await runningParts(opened.places) };
  }
  throw new SealrootError(
    "unsupported",
    "Cannot verify the system that runs: neither bootc nor sealroot installed it",
    {
      hint: "name a disk, an image or a UKI",
    },
  );
}

/** A slip of the fingers must not cost the disk. */
function refuseInput(path: string | undefined, what: string, input: string): void {
  if (path === undefined || resolve(path) !== resolve(input)) return;
  throw new SealrootError("usage", `Cannot write ${what} ${path}: it is what is verified`, { path });
}

/** That of the options; nobody else's, as a disk or a file has nothing to do with one. */
async function openGiven(invocation: Call) {
  const isGiven = invocation.option("repo") !== undefined || invocation.flag("user") || invocation.flag("system");
  if (!isGiven) return undefined;
  const { openRepository } = await import("../repository/index.ts");
  return await openRepository(repositoryPath(invocation), { upgrade: false });
}
