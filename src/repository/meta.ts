/** meta.json: what a repository says about itself (spec/repository.md 2). Text in, values out. */
import { corrupt, reasonOf, SealrootError } from "../errors/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";

/** 0 and 1 are the two header forms of the first layout, 2 is the second layout (spec/erofs.md 0). */
export type ErofsVersion = 0 | 1 | 2;

/** Which EROFS images are made for each image: `default` first, then `extra` ascending. */
export interface ErofsFormats {
  readonly default: ErofsVersion;
  readonly extra: readonly ErofsVersion[];
}

export interface RepositoryMeta {
  readonly algorithm: VerityAlgorithm;
  readonly formats: ErofsFormats;
  /** Unknown features of repositories that may still be read. If not empty, nothing may be written. */
  readonly unknownReadOnlyFeatures: readonly string[];
}

const FORMAT_VERSION = 1;
const LOG2_BLOCK_SIZE = 12;
const FEATURE_V1_EROFS = "v1_erofs";

/**
 * The text of a new meta.json, byte for byte what the reference tools write (two-space indent, final newline).
 */
export function formatMeta(algorithm: VerityAlgorithm, formats: ErofsFormats): string {
  const document = {
    version: FORMAT_VERSION,
    algorithm: `fsverity-${algorithm}-${LOG2_BLOCK_SIZE}`,
    features: {
      compatible: [],
      "read-only-compatible": formats.default === 1 ? [FEATURE_V1_EROFS] : [],
      incompatible: [],
    },
    erofs_formats: {
      default: formats.default,
      ...(formats.extra.length === 0 ? {} : { extra: formats.extra }),
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Reads meta.json. Unknown fields and unknown compatible features are ignored.
 *
 * @throws SealrootError `corrupt` for text that is not such a document, `unsupported` for a newer version, another
 *   algorithm or an unknown incompatible feature
 */
export function parseMeta(text: string): RepositoryMeta {
  const document = record(parseJson(text), "meta.json");
  const version = document.version;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 0) {
    throw corrupt(`Cannot read meta.json: version is ${shown(version)}, not an integer`);
  }
  if (version > FORMAT_VERSION) {
    throw new SealrootError(
      "unsupported",
      `Cannot read meta.json: unsupported repository format version ${version} (this tool supports up to ${FORMAT_VERSION})`,
      { expected: String(FORMAT_VERSION), actual: String(version) },
    );
  }
  const features = document.features === undefined ? {} : record(document.features, "features");
  const incompatible = strings(features.incompatible, "incompatible");
  if (incompatible.length > 0) {
    throw new SealrootError(
      "unsupported",
      `Cannot read meta.json: repository requires unknown incompatible features: ${JSON.stringify(incompatible)}`,
    );
  }
  strings(features.compatible, "compatible");
  const readOnly = strings(features["read-only-compatible"], "read-only-compatible");
  return {
    algorithm: parseAlgorithm(document.algorithm),
    formats: effectiveFormats(document.erofs_formats, readOnly.includes(FEATURE_V1_EROFS)),
    unknownReadOnlyFeatures: readOnly.filter((feature) => feature !== FEATURE_V1_EROFS),
  };
}

/**
 * The hash algorithm of a name such as `fsverity-sha512-12`.
 * @throws SealrootError `unsupported`
 */
export function parseAlgorithm(name: unknown): VerityAlgorithm {
  const match = typeof name === "string" ? /^fsverity-(sha256|sha512)-([0-9]+)$/.exec(name) : null;
  const algorithm = match?.[1];
  if ((algorithm === "sha256" || algorithm === "sha512") && match?.[2] === String(LOG2_BLOCK_SIZE)) return algorithm;
  throw new SealrootError("unsupported", `Cannot use the algorithm ${shown(name)}: it is not known`, {
    expected: "fsverity-sha256-12 or fsverity-sha512-12",
  });
}

/** @throws SealrootError `unsupported` for a number that is not an EROFS version */
function parseErofsVersion(value: unknown): ErofsVersion {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new SealrootError("unsupported", `Cannot use the EROFS version ${shown(value)}: it is not 0, 1 or 2`);
}

/** `erofs_formats` counts unless it is absent or just says "version 2", which older writers also meant. */
function effectiveFormats(value: unknown, v1Feature: boolean): ErofsFormats {
  const byFeature: ErofsFormats = { default: v1Feature ? 1 : 2, extra: [] };
  if (value === undefined) return byFeature;
  const formats = record(value, "erofs_formats");
  const main = parseErofsVersion(formats.default);
  const extraValue = formats.extra ?? [];
  if (!Array.isArray(extraValue)) throw corrupt("Cannot read meta.json: erofs_formats.extra is not an array");
  const extra = [...new Set(extraValue.map(parseErofsVersion))].filter((version) => version !== main).sort();
  return main === 2 && extra.length === 0 ? byFeature : { default: main, extra };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(`Cannot read meta.json: ${reasonOf(error)}`);
  }
}

/** A value for a message. Compound values are only named: they may be nested too deep for JSON.stringify(). */
function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? "a list or an object" : String(JSON.stringify(value));
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw corrupt(`Cannot read meta.json: ${what} is not an object`);
}

function strings(value: unknown, what: string): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw corrupt(`Cannot read meta.json: ${what} is not an array of strings`);
}
