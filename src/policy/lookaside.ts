/** OpenPGP signatures kept beside a registry, numbered from 1 (spec/chunked-and-policy.md 2.3). */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import type { OpenedPlace } from "../oci/index.ts";
import { hostPaths } from "../oci/index.ts";
import { readBoundedFile } from "../platform/index.ts";
import { HttpClient, wholeBody } from "../registry/index.ts";
import { readRegistriesD, signatureStorageOf } from "./registries-d.ts";

/** A signature has a kilobyte or two; all of an image's are in memory at once. */
const SIGNATURE_MAX_BYTES = 1 << 20;
const SIGNATURES_MAX = 128;
/** How often a failed request is sent again. */
const RETRIES = 1;

/** What a file other than bare OpenPGP begins with, after a zero byte and up to a line feed. */
const FORMAT_SIMPLE_SIGNING = "simple-signing";

/**
 * The OpenPGP signatures of one manifest of an image; those of other kinds are left out.
 * @throws SealrootError `unsupported` for more or longer ones than any image has; as the file system or server says
 */
export async function readSimpleSignatures(place: OpenedPlace, manifestDigest: string): Promise<Uint8Array[]> {
  const base = await baseOf(place, manifestDigest);
  if (base === undefined) return [];
  const client = new HttpClient({ limits: { retries: RETRIES }, isInsecure: () => false });
  try {
    const found: Uint8Array[] = [];
    for (let number = 1; ; number++) {
      const bytes = await fetchSignature(`${base}/signature-${number}`, client);
      if (bytes === undefined) return found.flatMap((file) => openPgpOf(file) ?? []);
      if (number > SIGNATURES_MAX) {
        throw new SealrootError("unsupported", `Cannot read signatures ${base}: there are more than ${SIGNATURES_MAX}`);
      }
      found.push(bytes);
    }
  } finally {
    await client.close();
  }
}

/** The URL or directory that holds `signature-1` and so on. */
async function baseOf(place: OpenedPlace, manifestDigest: string): Promise<string | undefined> {
  if (place.transport === "dir") return place.path;
  if (place.transport !== "docker") return undefined;
  const { lookaside = defaultLookaside() } = signatureStorageOf(await readRegistriesD(), place.name);
  const { repository } = place.name;
  const path = repository.slice(repository.indexOf("/") + 1);
  return `${lookaside.replace(/\/$/, "")}/${path}@${manifestDigest.replace(":", "=")}`;
}

function defaultLookaside(): string {
  const { userId, homeDirectory } = hostPaths();
  const data = userId === 0 ? "/var/lib" : join(homeDirectory, ".local/share");
  return pathToFileURL(join(data, "containers/sigstore")).href;
}

/** Undefined if there is none with that number. */
async function fetchSignature(location: string, client: HttpClient): Promise<Uint8Array | undefined> {
  if (/^https?:/.test(location)) return download(location, client);
  const path = location.startsWith("file:") ? fileURLToPath(location) : location;
  try {
    return await readBoundedFile(path, SIGNATURE_MAX_BYTES);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, "Cannot read signature", { path });
  }
}

/** Credentials are not sent: the place is not part of the registry. */
async function download(url: string, client: HttpClient): Promise<Uint8Array | undefined> {
  const response = await client.send({ method: "GET", url: new URL(url) });
  // The configured address may hold a password.
  const shown = url.replace(/\/\/[^@/]*@/, "//");
  if (response.status !== 200) {
    response.discard();
    if (response.status === 404) return undefined;
    const code = response.status === 401 || response.status === 403 ? "no-access" : "failed";
    throw new SealrootError(code, `Cannot fetch signature ${shown}: the server answers ${response.status}`, {
      path: shown,
    });
  }
  return wholeBody(response, SIGNATURE_MAX_BYTES, () => tooLarge(shown));
}

function openPgpOf(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== 0) return bytes;
  const end = bytes.indexOf(0x0a);
  const format = Buffer.from(bytes.subarray(1, Math.max(end, 1))).toString("latin1");
  return format === FORMAT_SIMPLE_SIGNING ? bytes.subarray(end + 1) : undefined;
}

function tooLarge(path: string): SealrootError {
  return new SealrootError(
    "unsupported",
    `Cannot read signature ${path}: it is larger than ${SIGNATURE_MAX_BYTES} bytes`,
    {
      path,
    },
  );
}
