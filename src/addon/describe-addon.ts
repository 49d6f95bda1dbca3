/** What an add-on is and brings, for a person. */
import { ADDON_SECTIONS, type AddonScope, checkAddon } from "../bootimage/index.ts";
import { readAuthenticode } from "../cms/index.ts";
import { reasonOf } from "../errors/index.ts";
import { commandLineOf, findSection, parsePe, readSignatures, verifyPe } from "../pe/index.ts";

export interface ListedAddon {
  /** Without `.addon.efi`. */
  readonly name: string;
  /** Null of a file by itself. */
  readonly scope: AddonScope | null;
  readonly deploymentId: string | null;
  readonly path: string;
  readonly sizeBytes: number;
  readonly commandLine: string | null;
  /** Those that systemd-stub takes. */
  readonly sections: readonly string[];
  /** The signer's subject; null for none, or a signature that is not good by its own certificate. */
  readonly signedBy: string | null;
  /** Why it must not be used; null when nothing speaks against it. */
  readonly problem: string | null;
}

/** @param place where it was found */
export async function describeAddon(
  bytes: Uint8Array,
  place: Pick<ListedAddon, "name" | "scope" | "deploymentId" | "path">,
): Promise<ListedAddon> {
  const { name, scope, deploymentId, path } = place;
  const known = { name, scope, deploymentId, path, sizeBytes: bytes.length };
  try {
    const image = parsePe(bytes, path);
    const sections = ADDON_SECTIONS.filter((section) => findSection(image, section, path) !== undefined);
    const commandLine = commandLineOf(image, path) ?? null;
    const signedBy = await signerOf(bytes);
    return { ...known, commandLine, sections, signedBy, problem: problemOf(bytes, name) };
  } catch (error) {
    return { ...known, commandLine: null, sections: [], signedBy: null, problem: reasonOf(error) };
  }
}

function problemOf(bytes: Uint8Array, name: string): string | null {
  try {
    checkAddon(bytes, `the add-on ${name}`);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

async function signerOf(bytes: Uint8Array): Promise<string | null> {
  const claims = await Promise.allSettled(readSignatures(parsePe(bytes)).map(readAuthenticode));
  const certificates = claims.flatMap((claim) => (claim.status === "fulfilled" ? claim.value.certificates : []));
  return verifyPe(bytes, certificates).then(
    ({ signer }) => signer.subject,
    () => null,
  );
}
