/** registries.d: where signatures of a repository are kept (spec/chunked-and-policy.md 2.3; containers-registries.d(5)). */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asSealrootError, corrupt, hasErrno, reasonOf } from "../errors/index.ts";
import type { ImageName } from "../oci/index.ts";
import { hostPaths, nameScopeProblem, userConfigurationDirectory } from "../oci/index.ts";
import { isAbsent } from "../platform/index.ts";
import { canonicalScope } from "./canonical-scope.ts";
import { registryScopes } from "./scopes.ts";

/** What is configured for a repository; undefined: nothing. */
export interface SignatureStorage {
  /** Base of OpenPGP signatures: a file, http or https URL. */
  readonly lookaside: string | undefined;
  readonly useSigstoreAttachments: boolean | undefined;
}

/** The merged files of a directory. */
export interface RegistriesD {
  readonly defaultSection: SignatureStorage | undefined;
  /** By scope, in its canonical form. */
  readonly sections: ReadonlyMap<string, SignatureStorage>;
}

/** The user's directory if there is one, else the machine's. */
function registriesDirectory(): string {
  const own = join(userConfigurationDirectory(hostPaths()), "containers/registries.d");
  return existsSync(own) ? own : "/etc/containers/registries.d";
}

/**
 * Reads every `*.yaml` of a directory; nothing is configured where there is none.
 * @throws SealrootError `corrupt` for what is not YAML of the right shape, and for a duplicate scope
 */
export async function readRegistriesD(directory = registriesDirectory()): Promise<RegistriesD> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (isAbsent(error, directory)) return [];
    throw asSealrootError(error, "Cannot read the places of signatures", { path: directory });
  });
  const sections = new Map<string, SignatureStorage>();
  let defaultSection: SignatureStorage | undefined;
  for (const name of names.filter((file) => file.endsWith(".yaml")).sort()) {
    const path = join(directory, name);
    const document = await readYaml(path);
    refuseUnknown(document, ["default-docker", "docker"], "", path);
    const own = document["default-docker"];
    if (own !== undefined && own !== null) {
      if (defaultSection !== undefined) throw corrupt(`Cannot read ${path}: default-docker occurs twice`, { path });
      defaultSection = readSection(own, "default-docker", path);
    }
    for (const [scope, section] of Object.entries(recordAt(document, "docker", path))) {
      const problem = nameScopeProblem(scope);
      if (problem !== undefined)
        throw corrupt(`Cannot read ${path}: docker "${scope}" can never match: ${problem}`, { path });
      const meaning = canonicalScope("docker", scope);
      if (sections.has(meaning)) throw corrupt(`Cannot read ${path}: docker "${scope}" occurs twice`, { path });
      sections.set(meaning, readSection(section, `docker "${scope}"`, path));
    }
  }
  return { defaultSection, sections };
}

/**
 * What applies to an image. An option that a scope omits is taken from less specific ones, as the reference's code
 * does, contrary to its manual.
 */
export function signatureStorageOf(configuration: RegistriesD, name: ImageName): SignatureStorage {
  const scopes = registryScopes(name, []);
  const sections = [...scopes.map((scope) => configuration.sections.get(scope)), configuration.defaultSection];
  return {
    lookaside: sections.find((section) => section?.lookaside !== undefined)?.lookaside,
    useSigstoreAttachments: sections.find((section) => section?.useSigstoreAttachments !== undefined)
      ?.useSigstoreAttachments,
  };
}

async function readYaml(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse } = await import("yaml");
  let document: unknown;
  try {
    document = parse(await readFile(path, "utf8"));
  } catch (error) {
    if (hasErrno(error, "EACCES")) throw asSealrootError(error, "Cannot read the places of signatures", { path });
    throw corrupt(`Cannot read ${path}: ${reasonOf(error)}`, { path });
  }
  if (document === null || document === undefined) return {};
  if (!isRecord(document)) throw corrupt(`Cannot read ${path}: it is not a mapping`, { path });
  return document;
}

function recordAt(document: Readonly<Record<string, unknown>>, key: string, path: string): Record<string, unknown> {
  const value = document[key] ?? {};
  if (!isRecord(value)) throw corrupt(`Cannot read ${path}: ${key} is not a mapping`, { path });
  return value;
}

function readSection(section: unknown, place: string, path: string): SignatureStorage {
  if (!isRecord(section)) throw corrupt(`Cannot read ${path}: ${place} is not a mapping`, { path });
  refuseUnknown(section, SECTION_KEYS, ` of ${place}`, path);
  const lookaside = section.lookaside ?? section.sigstore;
  if (lookaside !== undefined && (typeof lookaside !== "string" || !isReadableUrl(lookaside))) {
    throw corrupt(`Cannot read ${path}: lookaside of ${place} is not a URL of a file, http or https`, { path });
  }
  const attachments = section["use-sigstore-attachments"];
  if (attachments !== undefined && typeof attachments !== "boolean") {
    throw corrupt(`Cannot read ${path}: use-sigstore-attachments of ${place} is neither true nor false`, { path });
  }
  return { lookaside, useSigstoreAttachments: attachments };
}

/** `sigstore` is the old name of `lookaside`; the places to write to do not concern us. */
const SECTION_KEYS = ["lookaside", "lookaside-staging", "sigstore", "sigstore-staging", "use-sigstore-attachments"];

/** A misspelt key would have no effect. */
function refuseUnknown(
  section: Readonly<Record<string, unknown>>,
  known: readonly string[],
  place: string,
  path: string,
): void {
  const unknown = Object.keys(section).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const hint = `known are ${known.join(", ")}; containers-registries.d(5) describes them`;
  throw corrupt(`Cannot read ${path}: ${unknown}${place} is not known here`, { path, hint });
}

/** With another scheme, nothing would ever be found. */
function isReadableUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ["file:", "http:", "https:"].includes(url.protocol);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
