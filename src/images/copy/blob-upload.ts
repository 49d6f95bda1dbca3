/** Sending one blob to a registry (OCI distribution specification, "Pushing blobs"; spec/chunked-and-policy.md 4.4). */
import { reasonOf, SealrootError } from "../../errors/index.ts";
import type { BlobName } from "../../oci/index.ts";
import { type HttpResponse, type RegistryClient, retryDelayMs } from "../../registry/index.ts";
import { BlobCursor } from "./blob-cursor.ts";
import type { BlobContent } from "./destination.ts";
import { beginUpload, endUpload, hasBlob, offsetOf, type UploadSession, uploadScopes } from "./upload-session.ts";

/** Size of a part when the whole blob is too much for a proxy on the way. */
const CHUNK_BYTES = 8 << 20;

const CREATED = 201;
const ACCEPTED = 202;
const NOT_FOUND = 404;
const CONTENT_TOO_LARGE = 413;
const RANGE_NOT_SATISFIABLE = 416;

/** The outcome for a part of the blob. */
type Sent =
  | { readonly type: "taken"; readonly session: UploadSession }
  /** Another try may help; `tooLarge` when a smaller part is required. */
  | { readonly type: "cut"; readonly error: unknown; readonly tooLarge: boolean };

/**
 * Sends a blob and has the registry check its digest.
 *
 * The blob goes in one request, as every registry accepts that. When the connection breaks, the registry is asked how
 * far it got, and the rest is sent; a registry that has lost the upload gets it from the beginning. It may fail as
 * often in a row as the client's limits allow; a try that made progress does not count.
 *
 * @throws SealrootError `corrupt` when the registry says that it received other bytes; what the content throws; else as
 *   RegistryClient.request
 */
export async function uploadBlob(client: RegistryClient, name: BlobName, content: BlobContent): Promise<void> {
  const cursor = new BlobCursor(content, name);
  const upload = new Upload(client, name, cursor);
  try {
    await upload.run();
  } finally {
    await cursor.close();
  }
}

class Upload {
  readonly #client: RegistryClient;
  readonly #name: BlobName;
  readonly #cursor: BlobCursor;
  readonly #action: string;
  #session: UploadSession | undefined;
  /** Bytes that the registry is known to have. */
  #offset = 0;
  /** The most it ever had of any upload: only more than that is progress. */
  #farthest = 0;
  #chunkBytes = Number.POSITIVE_INFINITY;
  /** Consecutive tries without progress. */
  #failures = 0;
  #wasCut = false;

  constructor(client: RegistryClient, name: BlobName, cursor: BlobCursor) {
    this.#client = client;
    this.#name = name;
    this.#cursor = cursor;
    this.#action = `Cannot send blob ${name.digest} to ${client.name}`;
  }

  async run(): Promise<void> {
    try {
      for (;;) {
        this.#session ??= await beginUpload(this.#client, this.#action);
        if (this.#offset < this.#name.size) await this.#sendPart(this.#session);
        else if (await this.#isSettled(this.#session)) return;
      }
    } catch (error) {
      if (this.#session !== undefined) await endUpload(this.#client, this.#session);
      throw error;
    }
  }

  async #sendPart(session: UploadSession): Promise<void> {
    const end = Math.min(this.#name.size, this.#offset + Math.max(this.#chunkBytes, session.chunkMinBytes));
    const sent = await this.#patch(session, end);
    if (sent.type === "taken") {
      this.#session = sent.session;
      this.#reach(end);
      return;
    }
    this.#wasCut = true;
    const canShrink = sent.tooLarge && this.#chunkBytes > CHUNK_BYTES;
    if (canShrink) this.#chunkBytes = CHUNK_BYTES;
    else await this.#wait(sent.error);
    await this.#findOffset(session);
  }

  async #patch(session: UploadSession, end: number): Promise<Sent> {
    const start = this.#offset;
    const isWhole = start === 0 && end === this.#name.size;
    try {
      const answer = await this.#client.requestOrRefusal("PATCH", session.location, {
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(end - start),
          // No unit and no total here, and the last byte inclusive, unlike elsewhere (specification, "Pushing a blob in chunks").
          ...(isWhole ? {} : { "content-range": `${start}-${end - 1}` }),
        },
        body: () => this.#cursor.range(start, end),
        scopes: uploadScopes(this.#client),
        expect: [ACCEPTED, CREATED, 204],
        action: this.#action,
      });
      if ("error" in answer) return refused(answer.status, answer.error);
      answer.discard();
      return { type: "taken", session: session.after(answer) };
    } catch (error) {
      if (!mayPass(error)) throw error;
      return { type: "cut", error, tooLarge: false };
    }
  }

  /** After an interruption: how far did the registry get? If in doubt, start again. */
  async #findOffset(session: UploadSession): Promise<void> {
    const known = await offsetOf(this.#client, session, this.#action).catch((error: unknown) => {
      if (mayPass(error)) return undefined;
      throw error;
    });
    // More than was sent would be somebody else's bytes.
    if (known === undefined || known.offset > this.#cursor.position) {
      await endUpload(this.#client, session);
      this.#session = undefined;
      this.#offset = 0;
      return;
    }
    this.#session = known.session;
    this.#reach(known.offset);
  }

  #reach(offset: number): void {
    this.#offset = offset;
    if (offset <= this.#farthest) return;
    this.#farthest = offset;
    this.#failures = 0;
  }

  /** Completes the upload under its digest. False when it must be sent again. */
  async #isSettled(session: UploadSession): Promise<boolean> {
    const answer = await this.#client.requestOrRefusal("PUT", session.withDigest(this.#name.digest), {
      headers: { "content-length": "0" },
      scopes: uploadScopes(this.#client),
      expect: [CREATED, 204],
      action: this.#action,
    });
    if (!("error" in answer)) {
      answer.discard();
      this.#checkAnnounced(answer);
      return true;
    }
    // The answer to an earlier try may have been lost.
    if (answer.status === NOT_FOUND && (await hasBlob(this.#client, this.#name.digest))) return true;
    const isOther = answer.problems.some(({ code }) => code === "DIGEST_INVALID");
    const error = isOther ? this.#otherBytes(answer.error) : answer.error;
    // Some registries append whatever comes after an interruption: then the bytes are wrong although ours are right.
    if (!this.#wasCut && answer.status !== NOT_FOUND) throw error;
    await this.#wait(error);
    await endUpload(this.#client, session);
    this.#session = undefined;
    this.#offset = 0;
    return false;
  }

  #checkAnnounced(answer: HttpResponse): void {
    const announced = answer.headers["docker-content-digest"];
    if (typeof announced !== "string" || announced === this.#name.digest) return;
    const [algorithm] = announced.split(":");
    // For another algorithm it says nothing.
    if (this.#name.digest.startsWith(`${algorithm}:`)) throw this.#otherBytes(undefined, announced);
  }

  async #wait(error: unknown): Promise<void> {
    const { limits, events } = this.#client;
    if (this.#failures >= limits.retries) throw error;
    const delayMs = retryDelayMs(limits, this.#failures);
    this.#failures += 1;
    const seconds = (delayMs / 1000).toFixed(1);
    events({ type: "message", level: "info", text: `${reasonOf(error)}; resuming in ${seconds} s` });
    await this.#client.wait(delayMs);
  }

  #otherBytes(cause: unknown, actual?: string): SealrootError {
    const data = { expected: this.#name.digest, ...(actual !== undefined && { actual }) };
    return new SealrootError("corrupt", `${this.#action}: the registry received other bytes`, data, cause);
  }
}

function refused(status: number, error: SealrootError): Sent {
  const isPassing = status === 429 || status >= 500 || status === RANGE_NOT_SATISFIABLE;
  if (!isPassing && status !== CONTENT_TOO_LARGE) throw error;
  return { type: "cut", error, tooLarge: status === CONTENT_TOO_LARGE };
}

function mayPass(error: unknown): boolean {
  return error instanceof SealrootError && (error.code === "no-network" || error.code === "timeout");
}
