/** Rotation of the key that signs images: a new one beside the old, which stays in db until it is removed. */
import { chmodSync, chownSync, linkSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type CertificateSummary, certificateOf, describeCertificate, type Signer } from "../../cms/index.ts";
import { x509Entry } from "../../efi/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { renameExchange, syncDirectory, temporaryDirectory } from "../../platform/index.ts";
import { loadNamedCertificate } from "../directory.ts";
import { type NewFile, writeNewFile } from "../generate.ts";
import { currentDatabase } from "./certificates.ts";
import { databaseFiles, ownerGuid } from "./database-file.ts";
import { type DatabaseItem, describeEntry } from "./database-items.ts";
import { whileLocked } from "./directory-lock.ts";

export interface RotateOptions {
  /** The new certificate's common name ends in ` db`, as all do; the old one's beginning if absent. */
  readonly commonName?: string | undefined;
  readonly days?: number | undefined;
  readonly now: Date;
}

export interface RotatedKeys {
  readonly directory: string;
  readonly certificate: CertificateSummary;
  /** The one before. */
  readonly previous: CertificateSummary;
  /** The names that its files have now. */
  readonly previousFiles: readonly string[];
  /** All that db has now. */
  readonly entries: readonly DatabaseItem[];
}

const DAY_MS = 86_400_000;
const DAYS = 3650;
/** Of a fingerprint, in names of files. */
const SHORT_DIGITS = 12;
const OWN_FILES = ["db.key", "db.pem", "db.der", "db.crt", "db.cer"];
const REPLACED = [...OWN_FILES, "db.esl", "db.auth", "db.append.auth"];

/**
 * Makes a new db key. db then holds both certificates: machines that take the update start what either has signed. The whole
 * directory changes in one step; the old key's files stay in it under names of their own.
 *
 * @param signer of the key exchange key
 * @throws SealrootError `unsupported` for a directory whose db is in a folder of its own; `conflict` when somebody changes it
 */
export async function rotateKeys(
  directory: string,
  signer: () => Promise<Signer>,
  options: RotateOptions,
): Promise<RotatedKeys> {
  return whileLocked(directory, async () => {
    const names = readdirSync(directory);
    if (!names.some((name) => /^db\.(pem|crt|cer|der)$/.test(name))) throw otherLayout(directory);
    const previous = certificateOf(loadNamedCertificate(directory, "db"));
    const { now } = options;
    const { makeSelfSignedKey, pemOf } = await import("../self-signed.ts");
    const old = await currentDatabase(directory);
    const commonName = options.commonName ?? commonNameOf(previous.subject);
    const made = await makeSelfSignedKey({
      commonName: `${commonName} db`,
      rsaBits: describeCertificate(previous).rsaBits ?? 2048,
      notBefore: now,
      notAfter: new Date(now.getTime() + (options.days ?? DAYS) * DAY_MS),
    });
    const added = x509Entry(ownerGuid(directory), made.certificateDer);
    const entries = [added, ...old.entries];
    const files: NewFile[] = [
      { name: "db.key", content: made.privateKeyPem, isSecret: true },
      { name: "db.pem", content: pemOf("CERTIFICATE", made.certificateDer) },
      { name: "db.der", content: made.certificateDer },
      ...(await databaseFiles("db", old, entries, [added], await signer(), now)),
    ];
    const summary = describeCertificate(previous);
    const stem = `db-${summary.fingerprintSha256.slice(0, SHORT_DIGITS)}`;
    const kept = new Map(names.map((name) => [name, OWN_FILES.includes(name) ? `${stem}${name.slice(2)}` : name]));
    for (const name of REPLACED) if (!OWN_FILES.includes(name)) kept.delete(name);
    exchangeDirectory(directory, kept, files);
    return {
      directory,
      certificate: describeCertificate(certificateOf(made.certificateDer)),
      previous: summary,
      previousFiles: [...kept].filter(([from, to]) => from !== to).map(([, to]) => to),
      entries: entries.map(describeEntry),
    };
  });
}

/** The directory with other contents, in one step. What stays is linked, so that no key is copied. */
function exchangeDirectory(directory: string, kept: ReadonlyMap<string, string>, files: readonly NewFile[]): void {
  const target = resolve(directory);
  try {
    using temporary = temporaryDirectory({ parent: dirname(target), purpose: "keys" });
    for (const [from, to] of kept) linkTree(join(target, from), join(temporary.path, to));
    for (const file of files) writeNewFile(join(temporary.path, file.name), file);
    const { mode, uid, gid } = statSync(target);
    chmodSync(temporary.path, mode & 0o7777);
    chownSync(temporary.path, uid, gid);
    syncDirectory(temporary.path);
    renameExchange(temporary.path, target);
    syncDirectory(dirname(target));
  } catch (error) {
    throw asSealrootError(error, `Cannot change the keys in ${directory}`, { path: directory });
  }
}

function linkTree(from: string, to: string): void {
  if (!statSync(from).isDirectory()) {
    linkSync(from, to);
    return;
  }
  mkdirSync(to, statSync(from).mode & 0o7777);
  for (const name of readdirSync(from)) linkTree(join(from, name), join(to, name));
}

/** `CN=Example db` is of `Example`. */
function commonNameOf(subject: string): string {
  const name = /^CN=(.*)$/m.exec(subject)?.[1] ?? "sealroot";
  return name.replace(/ db$/, "");
}

function otherLayout(directory: string): SealrootError {
  return new SealrootError("unsupported", `Cannot rotate the keys in ${directory}: it has no db.pem of its own`, {
    path: directory,
    expected: "db.key and db.pem in the directory itself",
    hint: "make a new directory with sealroot keys generate, and add the old certificate with --add-db",
  });
}
