/** Files with credentials: auth.json and config.json (containers-auth.json(5); spec/chunked-and-policy.md 3.6). */
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { isAbsent } from "../platform/index.ts";
import type { Credentials } from "./options.ts";

const text = v.optional(v.string());
const entrySchema = v.looseObject({ auth: text, identitytoken: text, username: text, password: text });
const authsSchema = v.record(v.string(), entrySchema);
const fileSchema = v.looseObject({
  auths: v.optional(authsSchema),
  credHelpers: v.optional(v.record(v.string(), v.string())),
  credsStore: text,
});

export interface AuthFile {
  readonly path: string;
  /** By `HOST[/REPOSITORY]`, as written. */
  readonly entries: ReadonlyMap<string, AuthEntry>;
  /** Host to the name of a helper program. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The name of the helper program for all other hosts; docker only, not podman. */
  readonly store: string | undefined;
}

type AuthEntry = v.InferOutput<typeof entrySchema>;

/**
 * Reads a file with credentials; undefined when it does not exist.
 * @param isLegacy true for `~/.dockercfg`, which is the bare map of entries
 * @throws SealrootError `corrupt` when it is malformed, `no-access` when it may not be read
 */
export async function readAuthFile(path: string, isLegacy: boolean): Promise<AuthFile | undefined> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error, path)) return undefined;
    throw asSealrootError(error, "Cannot read credentials", { path });
  }
  const document = parseJson(content, path);
  const file: v.InferOutput<typeof fileSchema> = isLegacy
    ? { auths: checked(authsSchema, document, path) }
    : checked(fileSchema, document, path);
  const { auths = {}, credHelpers = {}, credsStore } = file;
  const [entries, helpers] = [new Map(Object.entries(auths)), new Map(Object.entries(credHelpers))];
  return { path, entries, helpers, store: credsStore || undefined };
}

function parseJson(text: string, path: string): unknown {
  if (text.trim() === "") return {};
  try {
    // Go programs write null for what is absent.
    return JSON.parse(text, (_, value) => value ?? undefined);
  } catch {
    // Without the cause: a parser's message quotes its input, which is secret here.
    throw new SealrootError("corrupt", `Cannot read credentials: ${path} is not JSON`, { path });
  }
}

function checked<S extends v.GenericSchema>(schema: S, document: unknown, path: string): v.InferOutput<S> {
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  const where = v.getDotPath(result.issues[0]) ?? "the document";
  throw new SealrootError("corrupt", `Cannot read credentials: ${path}: ${where} is of the wrong kind`, { path });
}

/**
 * The credentials that a file has for a repository: those of the repository, of the folders above it, of the host;
 * finally those whose key is another spelling of the host.
 *
 * @throws SealrootError `corrupt` for an entry that is not base64
 */
export function credentialsIn(file: AuthFile, host: string, repository: string): Credentials | undefined {
  for (const key of keysFor(host, repository)) {
    const found = credentialsOf(file.entries.get(key), key, file.path);
    if (found !== undefined) return found;
  }
  for (const [key, entry] of file.entries) {
    if (normalHost(key) !== normalHost(host)) continue;
    const found = credentialsOf(entry, key, file.path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function keysFor(host: string, repository: string): string[] {
  const parts = repository.split("/");
  return [...parts.map((_, index) => `${host}/${parts.slice(0, parts.length - index).join("/")}`), host];
}

/**
 * Docker wrote web addresses as keys, and Docker Hub has three names. A key with a path but no scheme is only for that
 * path.
 */
function normalHost(key: string): string {
  const address = key.replace(/^https?:\/\//, "");
  const host = address === key ? key : address.replace(/\/.*$/s, "");
  return host === "docker.io" || host === "registry-1.docker.io" ? "index.docker.io" : host;
}

function credentialsOf(entry: AuthEntry | undefined, key: string, path: string): Credentials | undefined {
  if (entry === undefined) return undefined;
  if (entry.identitytoken) return { type: "identity-token", token: entry.identitytoken };
  if (!entry.auth) return entry.username ? passwordOf(entry.username, entry.password ?? "") : undefined;
  // base64(1) breaks lines, so secrets may contain line breaks.
  const auth = entry.auth.replace(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(auth)) {
    throw new SealrootError("corrupt", `Cannot read credentials: ${path}: auth of "${key}" is not base64`, { path });
  }
  // Some writers pad the password with NUL bytes.
  const bytes = Buffer.from(auth, "base64");
  const pair = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1).toString("utf8");
  const colon = pair.indexOf(":");
  return colon === -1 ? undefined : passwordOf(pair.slice(0, colon), pair.slice(colon + 1));
}

function passwordOf(userName: string, password: string): Credentials {
  return { type: "password", userName, password };
}
