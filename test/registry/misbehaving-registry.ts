/** A registry that serves one layout, rightly but for what a test makes it do instead. */
import { createHash, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ImageIndex, MEDIA_TYPE, type OciLayout } from "../../src/oci/index.ts";

/** One request with everything needed to answer it rightly or wrongly. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** What the path names. */
  readonly kind: "base" | "manifest" | "blob" | "other";
  /** The tag or digest in the path. */
  readonly reference: string;
  /** The right bytes; undefined if there are none. */
  readonly bytes: Buffer | undefined;
  readonly mediaType: string;
  /** How many requests of this method went to this path before. */
  readonly before: number;
  /** Answers as a good registry would. */
  answer(): void;
}

/** Answers a request in its own way, or calls `exchange.answer()`. */
export type Behaviour = (exchange: Exchange) => void | Promise<void>;

export interface MisbehavingRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Requests in their order: `GET /v2/…`. */
  readonly log: readonly string[];
  /** The headers that came with each of them. */
  readonly headers: readonly IncomingMessage["headers"][];
  behaviour: Behaviour;
  /** Behaves, serves this layout and has forgotten everything. */
  reset(layout: OciLayout): void;
  stop(): Promise<void>;
}

export const GOOD: Behaviour = (exchange) => exchange.answer();

/** Serves the image of the layout's only entry as `image:t`. */
export async function startMisbehavingRegistry(served: OciLayout): Promise<MisbehavingRegistry> {
  let layout = served;
  const registry = { log: [] as string[], headers: [] as IncomingMessage["headers"][], behaviour: GOOD };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://registry");
    const line = `${request.method} ${url.pathname}`;
    const before = registry.log.filter((other) => other === line).length;
    registry.log.push(line);
    registry.headers.push(request.headers);
    const { kind, reference, digest } = nameIn(url.pathname, imageDigest(layout));
    const bytes = digest === undefined ? undefined : readBlob(layout, digest);
    const mediaType = kind === "manifest" ? MEDIA_TYPE.manifest : "application/octet-stream";
    const answer = () => answerRightly(request, response, bytes, mediaType, kind === "base");
    void registry.behaviour({ request, response, url, kind, reference, bytes, mediaType, before, answer });
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;
  const reset = (next: OciLayout) => {
    layout = next;
    Object.assign(registry, { log: [], headers: [], behaviour: GOOD });
  };
  return Object.assign(registry, { host: `127.0.0.1:${port}`, reset, stop: () => stop(server) });
}

function imageDigest(layout: OciLayout): string {
  const index: ImageIndex = JSON.parse(readFileSync(join(layout.directory, "index.json"), "utf8"));
  return index.manifests[0]?.digest ?? "";
}

function nameIn(path: string, digestOfTag: string): { kind: Exchange["kind"]; reference: string; digest?: string } {
  if (path === "/v2/") return { kind: "base", reference: "" };
  const [, kind, reference = ""] = /^\/v2\/image\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
  if (kind === undefined) return { kind: "other", reference };
  const digest = reference === "t" ? digestOfTag : reference;
  return { kind: kind === "blobs" ? "blob" : "manifest", reference, digest };
}

function readBlob(layout: OciLayout, digest: string): Buffer | undefined {
  try {
    return readFileSync(layout.blobs.pathOf(digest));
  } catch {
    return undefined;
  }
}

function answerRightly(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer | undefined,
  mediaType: string,
  isBase: boolean,
): void {
  if (isBase) {
    response.writeHead(200).end("{}");
  } else if (bytes === undefined) {
    response.writeHead(404).end(JSON.stringify({ errors: [{ code: "NOT_FOUND", message: "there is no such thing" }] }));
  } else {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(range?.[2] ? Number(range[2]) + 1 : bytes.length, bytes.length);
    response.writeHead(range === null ? 200 : 206, {
      "content-type": mediaType,
      "content-length": end - start,
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
      ...(mediaType === MEDIA_TYPE.manifest ? { "docker-content-digest": sha256(bytes) } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : bytes.subarray(start, end));
  }
}

/** Announces the right length, sends `share` of what it announced, then resets the connection. */
export function cut({ request, response, bytes = Buffer.alloc(0) }: Exchange, share: number): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const rest = bytes.subarray(start);
  response.writeHead(start === 0 ? 200 : 206, {
    "content-length": rest.length,
    ...(start === 0 ? {} : { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  // A byte of another segment could be lost with the reset: what was written is to be out before.
  response.write(rest.subarray(0, Math.floor(rest.length * share)), () => setImmediate(() => request.socket.destroy()));
}

/** `sha256:<hex>` */
export function sha256(bytes: Uint8Array): string {
  const hash: Hash = createHash("sha256");
  return `sha256:${hash.update(bytes).digest("hex")}`;
}

/** A plain server on a port of its own, for the other ends of redirects and for token services. */
export async function startServer(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly host: string; stop(): Promise<void> }> {
  const server = createServer(handle);
  await listen(server);
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, stop: () => stop(server) };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
