/** `sealroot seal attach` */
import { writeFile } from "node:fs/promises";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import type { AttachOptions } from "../../seal/index.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { checkOutputFile } from "../shared/output-file.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, refuseSharedLogin, registryOptions } from "../shared/registry-options.ts";
import { SHARED_KEY_OPTION } from "../shared/shared-key-option.ts";
import { readReturned } from "./returned-files.ts";

const ARGUMENTS = [
  { name: "IMAGE", summary: "the image that seal --unsigned wrote", holds: "reference" },
  { name: "SIGNED", summary: "signed files, signatures, or directories of them", optional: true, repeat: true },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  {
    flags: "-o, --output <IMAGE>",
    summary: "where the signed image goes: oci:DIRECTORY[:TAG], docker://HOST/NAME[:TAG] …",
  },
  {
    flags: "--to-sign <DIR>",
    summary: "write what is still to be signed into a new directory, as seal --to-sign does",
  },
  { flags: "--extract <FILE>", summary: "only write the image's UKI into FILE, to be signed" },
  {
    flags: "--keys <DIR>",
    summary: "whose signature is required: the directory with db's certificate (no private key)",
  },
  { flags: "--certificate <FILE>", summary: "whose signature is required: this certificate", excludes: ["keys"] },
  SHARED_KEY_OPTION,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const sealAttach = command({
  description: [
    "The private key never reaches the build machine: seal with --unsigned --to-sign DIR, sign what is in DIR where the key is",
    "(sbsign, osslsigncode, a signing service, an HSM), and attach what comes back: signed files, PKCS#7 or CMS signatures, or bare RSA",
    "signatures. Policies for PCR 11 come first: they are part of the UKI, which --to-sign then hands out. Each is known by what it signs. Nothing but the signature may differ, and it must be one that firmware",
    "accepts: by a key whose certificate is in the db that the image enrols, or that --keys or --certificate names.",
  ].join("\n"),
  arguments: ARGUMENTS,
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot seal attach oci:debian-unsigned --extract uki.efi",
    "sealroot seal attach oci:debian-unsigned uki-signed.efi -o oci:debian-sealed",
    "sealroot seal attach oci:debian-unsigned to-sign/ --certificate db.pem -o oci:debian-sealed",
  ],
  async run(invocation) {
    const { formatReference, parseReference } = await import("../../oci/index.ts");
    const { openImage } = await import("../../images/index.ts");
    const { attachSigned, readSealedUki } = await import("../../seal/index.ts");
    const source = parseReference(invocation.argument("IMAGE"));
    const opening = { registry: registryOptions(invocation), policy: policyChoice(invocation) };
    const extract = invocation.option("extract");
    if (extract !== undefined) {
      refuseBoth(invocation);
      checkOutputFile(extract, "the UKI to", true);
      const image = await openImage(source, opening);
      const uki = await readSealedUki(image).finally(() => image.close());
      await writeFile(extract, uki, { flag: "wx" }).catch((error: unknown) => {
        throw asSealrootError(error, `Cannot write ${extract}`, { path: extract });
      });
      if (invocation.json) invocation.output.json({ path: extract, sizeBytes: uki.length });
      return;
    }
    const output = invocation.option("output");
    const paths = invocation.arguments("SIGNED");
    if (paths.length === 0) invocation.argument("SIGNED");
    if (output === undefined) {
      throw new SealrootError("usage", "Cannot attach a signature: --output is missing", {
        hint: "add -o oci:DIRECTORY[:TAG]",
      });
    }
    const returned = await readReturned(paths);
    const target = parseReference(output);
    refuseSharedLogin(invocation, [source, target]);
    const wanted = await wantedSigner(invocation);
    const { manifest, attached } = await attachSigned(source, returned, target, {
      ...opening,
      ...wanted,
      ...(await handedOut(invocation, formatReference(target), wanted.certificateDer)),
      events: invocation.events,
    });
    const { digest } = manifest;
    if (invocation.json) {
      invocation.output.json({ reference: formatReference(target), manifestDigest: digest, attached });
    } else invocation.output.line(digest);
  },
});

/** What is still not signed, as seal hands it out. */
async function handedOut(
  invocation: Call,
  reference: string,
  certificateDer: Uint8Array | undefined,
): Promise<Pick<AttachOptions, "handOut">> {
  const directory = invocation.option("to-sign");
  if (directory === undefined) return {};
  const { checkVacantDirectory, UNLOCK_PHASES, writeToSign } = await import("../../seal/index.ts");
  checkVacantDirectory(directory);
  return {
    handOut: async (programs, { manifest }) => {
      const image = { reference, manifestDigest: manifest.digest, certificateDer, phasePaths: UNLOCK_PHASES };
      await writeToSign(directory, programs, image);
    },
  };
}

async function wantedSigner(
  invocation: Call,
): Promise<Pick<AttachOptions, "database" | "claimKey" | "certificateDer">> {
  const directory = invocation.option("keys");
  const { claimKey, databaseOfCertificate, databaseOfDirectory, loadCertificate, requireCertificate } = await import(
    "../../keys/index.ts"
  );
  const path = invocation.option("certificate");
  if (path !== undefined) {
    const certificateDer = loadCertificate(path);
    return { certificateDer, database: databaseOfCertificate(path, certificateDer) };
  }
  if (directory === undefined) return {};
  return {
    certificateDer: requireCertificate({ directory, secret: { mayAsk: false } }),
    database: databaseOfDirectory(directory),
    claimKey: (kind) => claimKey(directory, kind, invocation.flag("allow-shared-key")),
  };
}

/** Taking the UKI out and putting one in are separate actions. */
function refuseBoth(invocation: Call): void {
  if (invocation.arguments("SIGNED").length === 0 && invocation.option("output") === undefined) return;
  throw new SealrootError("usage", "Cannot attach the UKI: --extract only takes it out of the image", {
    hint: "give --extract, or SIGNED and --output",
  });
}
