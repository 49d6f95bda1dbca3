/** The keys that decide what the firmware starts: given, the machine's own, or those that the disk enrols. */
import type { EnrolmentFile } from "../../bootimage/index.ts";
import { certificateOf, describeCertificate } from "../../cms/index.ts";
import { authenticatedContent, parseSignatureLists, type SignatureEntry } from "../../efi/index.ts";
import { databasesOf, OPTION_ROM_ADVICE, type SignatureDatabases, startsOptionRoms } from "../../keys/index.ts";
import type { SbatLevel } from "../../pe/index.ts";
import type { LinkDraft } from "../report/link.ts";

/** Whose keys count. */
export interface FirmwareKeys {
  /** Each must let a program start; none: nobody is known who would. */
  readonly databases: readonly SignatureDatabases[];
  /** What shim starts besides; undefined when no level is at hand. */
  readonly sbatLevel?: SbatLevel | undefined;
}

/** What systemd-boot enrols together (systemd, src/boot/secure-boot.c); dbx may be absent. */
const NEEDED = ["PK.auth", "KEK.auth", "db.auth"];

/** Those of them that say who may change the databases, and not what starts. */
const OWNERS = ["PK.auth", "KEK.auth"];

/**
 * @param given keys that count in place of the enrolled ones
 * @param sbatLevel of shim, if it is known
 */
export async function checkFirmwareKeys(
  draft: LinkDraft,
  given: SignatureDatabases | undefined,
  enrolment: readonly EnrolmentFile[],
  sbatLevel?: SbatLevel,
): Promise<FirmwareKeys> {
  if (sbatLevel !== undefined) {
    const limited = sbatLevel.entries.filter(({ component }) => component !== "sbat");
    draft.fact(`the level of SBAT of ${sbatLevel.date ?? "no date"} limits ${limited.length} components`);
  }
  return { databases: await checkDatabases(draft, given, enrolment), sbatLevel };
}

async function checkDatabases(
  draft: LinkDraft,
  given: SignatureDatabases | undefined,
  enrolment: readonly EnrolmentFile[],
): Promise<FirmwareKeys["databases"]> {
  if (given !== undefined) {
    draft.checkedBy(given.name);
    describe(draft, given);
    return [given];
  }
  const databases = await draft.attempt(() => databasesOf(enrolment), {
    remedy: "write the enrolment files again, from the directory of keys",
  });
  if (databases === undefined) return [];
  for (const { folder, name, bytes } of enrolment.filter((file) => OWNERS.includes(file.name))) {
    // The firmware refuses it, and the boot loader stops enrolling.
    await draft.attempt(() => parseSignatureLists(authenticatedContent(bytes)), {
      path: `loader/keys/${folder}/${name}`,
      remedy: "write the enrolment files again, from the directory of keys",
    });
  }
  for (const folder of new Set(enrolment.map((file) => file.folder))) {
    const names = enrolment.filter((file) => file.folder === folder).map(({ name }) => name);
    const lacking = NEEDED.filter((name) => !names.includes(name));
    if (lacking.length === 0) continue;
    draft.broken(`the folder ${folder} lacks ${lacking.join(" and ")}: the boot loader enrols nothing from it`, {
      path: `loader/keys/${folder}`,
      expected: NEEDED.join(", "),
      found: names.sort().join(", "),
      remedy: "put the missing enrolment files there",
    });
  }
  if (databases.length === 0 && enrolment.length === 0) {
    draft.find("unchecked", "no keys are at hand that a firmware would have", {
      remedy: "give the directory of keys, or of certificates, with --keys",
    });
  }
  for (const database of databases) {
    draft.checkedBy(database.name);
    describe(draft, database);
  }
  return databases;
}

function describe(draft: LinkDraft, { name, allowed, forbidden }: SignatureDatabases): void {
  const certificates = certificateNames(allowed);
  const others = allowed.length - certificates.length;
  const also = others === 0 ? "" : ` and ${others} digests`;
  draft.fact(`${name} let start what is signed by ${certificates.join(", ") || "nobody"}${also}`);
  if (!startsOptionRoms(allowed)) {
    const { lacking, effect, remedy } = OPTION_ROM_ADVICE;
    draft.fact(`${lacking}: ${effect}; remedy: ${remedy}`);
  }
  if (forbidden.length > 0) draft.fact(`${forbidden.length} entries of dbx are refused`);
}

/** The subjects of the certificates among some entries; one that is unreadable is called so. */
function certificateNames(entries: readonly SignatureEntry[]): string[] {
  return entries
    .filter(({ type }) => type === "x509")
    .map(({ data }) => {
      try {
        return describeCertificate(certificateOf(data)).subject;
      } catch {
        return "an unreadable certificate";
      }
    });
}
