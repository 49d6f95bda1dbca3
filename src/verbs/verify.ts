/** `sealroot verify TARGET`. */

import { resolve } from "node:path";
import { SealrootError } from "../errors/index.ts";
import type { verifyBooted } from "../verify/index.ts";
import { command, type Invocation, type OptionSpecification } from "./shared/command.ts";
import { checkOutputFile, writePage } from "./shared/output-file.ts";
import { POLICY_OPTIONS, policyChoice } from "./shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "./shared/registry-options.ts";
import { REPOSITORY_PATH_OPTIONS, repositoryPath } from "./shared/repository-option.ts";

const OPTIONS = [
  { flags: "--booted", summary: "the system that runs, in place of TARGET; needs root" },
  { flags: "--html <FILE>", summary: "also write the result as one page, the chain drawn, readable without scripts" },
  { flags: "--keys <DIR>", summary: "the firmware has the keys of this directory, whatever is enrolled" },
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
  ...REPOSITORY_PATH_OPTIONS,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

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
keys count that disk or image itself enrols: they say whether it is whole, not whose it is.`,
  arguments: [
    { name: "TARGET", summary: "disk, image, UKI or another EFI program", optional: true, holds: "reference" },
  ],
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot verify disk.img",
    "sealroot verify disk.img --keys keys --forbid-missing-verity",
    "sealroot verify oci:os:v1 --require-key keys/db.pem",
    "sealroot verify os.efi --keys keys",
    "sealroot verify --booted",
  ],
  async run(invocation) {
    const { output } = invocation;
    const page = invocation.option("html");
    const target = invocation.optionalArgument("TARGET");
    if ((target === undefined) !== invocation.flag("booted")) throw oneTarget();
    if (target !== undefined) refuseTarget(page, target);
    checkOutputFile(page, "page");
    const { reportHtml, reportJson, reportLines, verify } = await import("../verify/index.ts");
    using repository = await openGiven(invocation);
    const options = { ...(await optionsOf(invocation)), repository };
    const report = target === undefined ? await verifyRunning(options) : await verify(target, options);
    if (page !== undefined) await writePage(page, reportHtml(report));
    if (invocation.json) output.json(reportJson(report));
    else for (const line of reportLines(report)) output.line(line);
    return report.state === "broken" ? 1 : 0;
  },
});

async function optionsOf(invocation: Call) {
  const keys = invocation.option("keys");
  const { databaseOfDirectory, loadCertificate } = await import("../keys/index.ts");
  return {
    keys: keys === undefined ? undefined : databaseOfDirectory(keys),
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

function oneTarget(): SealrootError {
  return new SealrootError("usage", "Cannot verify: one thing is to be verified", {
    hint: "name a disk, an image or a UKI, or give --booted for the system that runs",
  });
}

async function verifyRunning(options: Parameters<typeof verifyBooted>[1]) {
  const [{ openHost }, verification] = await Promise.all([import("../host/index.ts"), import("../verify/index.ts")]);
  using opened = openHost();
  if (opened !== undefined) return await verification.verifyBooted(opened.places, options);
  throw new SealrootError(
    "unsupported",
    "Cannot verify the system that runs: neither bootc nor sealroot installed it",
    {
      hint: "name a disk, an image or a UKI",
    },
  );
}

/** A slip of the fingers must not cost the disk. */
function refuseTarget(page: string | undefined, target: string): void {
  if (page === undefined || resolve(page) !== resolve(target)) return;
  throw new SealrootError("usage", `Cannot write page ${page}: it is what is verified`, { path: page });
}

/** That of the options; nobody else's, as a disk or a file has nothing to do with one. */
async function openGiven(invocation: Call) {
  const isGiven = invocation.option("repo") !== undefined || invocation.flag("user") || invocation.flag("system");
  if (!isGiven) return undefined;
  const { openRepository } = await import("../repository/index.ts");
  return await openRepository(repositoryPath(invocation), { upgrade: false });
}
