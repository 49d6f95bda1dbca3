/** Who signs, for every verb that does: a directory of keys, a key file, a token, a command. */
import type { Signer } from "../../cms/index.ts";
import type { SecureBootVariableName } from "../../efi/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ProgramSigner, SignerChoice } from "../../keys/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

/** For signatures of bytes: updates of variables. */
export const KEY_OPTIONS = [
  { flags: "--key <FILE|URI>", summary: "the private key: a file, or a PKCS #11 URI (pkcs11:token=…;object=…)" },
  { flags: "--certificate <FILE>", summary: "the certificate of that key, instead of the directory's" },
  {
    flags: "--signer <COMMAND>",
    summary: "outside signer: gets the bytes to sign, prints the signature",
    excludes: ["key"],
  },
  { flags: "--passphrase-file <FILE>", summary: "holds the passphrase of an encrypted key, or the PIN of a token" },
] as const satisfies readonly OptionSpecification[];

/** For signatures of programs, too. */
export const PROGRAM_SIGNING_OPTIONS = [
  ...KEY_OPTIONS,
  {
    flags: "--sign-command <COMMAND>",
    summary: "outside signer of whole files: reads {input}, writes the signed file {output}",
    excludes: ["key", "signer", "timestamp-url"],
  },
  { flags: "--timestamp-url <URL>", summary: "have a service (RFC 3161) state when it was signed" },
] as const satisfies readonly OptionSpecification[];

/** What the options of {@link KEY_OPTIONS} name. */
export function signerChoice(
  invocation: Invocation<typeof KEY_OPTIONS>,
  directory: string | undefined,
  name: SecureBootVariableName = "db",
): SignerChoice {
  return {
    ...{ directory, name },
    key: invocation.option("key"),
    certificate: invocation.option("certificate"),
    command: invocation.option("signer"),
    secret: { file: invocation.option("passphrase-file"), mayAsk: true },
  };
}

/**
 * The signer that the options of {@link PROGRAM_SIGNING_OPTIONS} name.
 * @throws SealrootError as openSigner and commandProgramSigner
 */
export async function programSigner(
  invocation: Invocation<typeof PROGRAM_SIGNING_OPTIONS>,
  directory: string | undefined,
): Promise<Signer | ProgramSigner> {
  const keys = await import("../../keys/index.ts");
  const choice = signerChoice(invocation, directory);
  const command = invocation.option("sign-command");
  if (command !== undefined) return keys.commandProgramSigner(command, keys.requireCertificate(choice));
  const service = invocation.option("timestamp-url");
  if (service !== undefined) keys.requireServiceUrl(service);
  const signer = await keys.openSigner(choice);
  if (service === undefined) return signer;
  return keys.timestampingSigner(signer, service, (text) =>
    invocation.events({ type: "message", level: "info", text }),
  );
}

/** Refuses what only makes sense when something is signed. */
export function refuseSigning(invocation: Invocation<typeof PROGRAM_SIGNING_OPTIONS>, why: string): void {
  const names = ["key", "signer", "passphrase-file", "sign-command", "timestamp-url"] as const;
  const given = names.find((name) => invocation.option(name) !== undefined);
  if (given === undefined) return;
  throw new SealrootError("usage", `Cannot use --${given}: ${why}`);
}
