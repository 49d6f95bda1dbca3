/** A registry on loopback that takes blobs the way registries do on bad days, and writes down what it was asked. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** What goes wrong; nothing by default. */
export interface UploadFaults {
  /** Bytes of the first, second … PATCH after which its connection breaks. */
  readonly cutAfterBytes?: readonly number[];
  /** Bytes of the first PATCH after which no more is read of it, and nothing said. */
  readonly stopsAfterBytes?: number;
  /** After an interruption: what arrived is `kept`, the upload is `lost`, or something else follows it (`damaged`). */
  readonly afterCut?: "kept" | "lost" | "damaged";
  /** Answers to the first, second … PATCH instead of taking it. */
  readonly patchStatuses?: readonly number[];
  /** Larger requests get 413, as from a proxy. */
  readonly bodyMaxBytes?: number;
  readonly chunkMinBytes?: number;
  /** Such a refusal is sent at once, and what still comes is read on. */
  readonly refusesEarly?: boolean;
  /** Every PUT is answered so, and its upload forgotten. */
  readonly putStatus?: number;
  /** The blob is taken, and the connection breaks before the first answer to PUT. */
  readonly losesFirstPut?: boolean;
  /** Opens an upload when asked to mount. */
  readonly cannotMount?: boolean;
  /** Says nothing of where that upload is. */
  readonly hidesUpload?: boolean;
  /** Announces this digest for every blob. */
  readonly announces?: string;
}

interface Upload {
  bytes: Buffer;
  /** Old locations are void, as with docker-registry. */
  step: number;
}

export interface UploadServer {
  readonly host: string;
  /** `METHOD PATH`, without what follows the question mark; PATCH with its Content-Range. */
  readonly requests: string[];
  /** By `REPOSITORY DIGEST`. */
  readonly blobs: Map<string, Buffer>;
  /** Uploads that nobody has ended. */
  readonly uploads: Map<string, Upload>;
  stop(): Promise<void>;
}

export async function startUploadServer(faults: UploadFaults): Promise<UploadServer> {
  const state = new State(faults);
  const server = createServer((request, response) => {
    state.answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    host: `127.0.0.1:${address.port}`,
    requests: state.requests,
    blobs: state.blobs,
    uploads: state.uploads,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

class State {
  readonly requests: string[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly uploads = new Map<string, Upload>();
  readonly #faults: UploadFaults;
  #patches = 0;
  #puts = 0;
  #opened = 0;

  constructor(faults: UploadFaults) {
    this.#faults = faults;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://x");
    const { method = "" } = request;
    const range = request.headers["content-range"];
    this.requests.push(`${method} ${url.pathname}${range === undefined ? "" : ` ${range}`}`);
    if (url.pathname === "/v2/") response.writeHead(200).end();
    else if (method === "HEAD") this.#head(url, response);
    else if (method === "POST") this.#open(url, response);
    else await this.#upload(method, url, request, response);
  }

  #head(url: URL, response: ServerResponse): void {
    const [, repository, digest] = /^\/v2\/(.+)\/blobs\/(.+)$/.exec(url.pathname) ?? [];
    const blob = this.blobs.get(`${repository} ${digest}`);
    response.writeHead(blob === undefined ? 404 : 200, { "content-length": String(blob?.length ?? 0) }).end();
  }

  #open(url: URL, response: ServerResponse): void {
    const [, repository = ""] = /^\/v2\/(.+)\/blobs\/uploads\/$/.exec(url.pathname) ?? [];
    const mounted = this.blobs.get(`${url.searchParams.get("from")} ${url.searchParams.get("mount")}`);
    if (mounted !== undefined && this.#faults.cannotMount !== true) {
      this.blobs.set(`${repository} ${url.searchParams.get("mount")}`, mounted);
      response.writeHead(201).end();
      return;
    }
    if (this.#faults.hidesUpload === true && url.searchParams.has("mount")) return void response.writeHead(202).end();
    const id = String(++this.#opened);
    this.uploads.set(id, { bytes: Buffer.alloc(0), step: 0 });
    const { chunkMinBytes } = this.#faults;
    const minimum = chunkMinBytes === undefined ? {} : { "oci-chunk-min-length": String(chunkMinBytes) };
    response.writeHead(202, { ...minimum, location: this.#location(repository, id, 0) }).end();
  }

  /** Relative, with a parameter of the registry's own. */
  #location(repository: string, id: string, step: number): string {
    return `/v2/${repository}/blobs/uploads/${id}?state=${step}%2F%3D`;
  }

  async #upload(method: string, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, repository = "", id = ""] = /^\/v2\/(.+)\/blobs\/uploads\/(\d+)$/.exec(url.pathname) ?? [];
    const upload = this.uploads.get(id);
    if (upload === undefined || url.searchParams.get("state") !== `${upload.step}/=`) {
      request.resume();
      response.writeHead(404).end(JSON.stringify({ errors: [{ code: "BLOB_UPLOAD_UNKNOWN", message: "unknown" }] }));
    } else if (method === "PATCH") {
      await this.#patch(id, upload, request, response, repository);
    } else if (method === "GET") {
      const last = Math.max(0, upload.bytes.length - 1);
      response.writeHead(204, { location: this.#location(repository, id, upload.step), range: `0-${last}` }).end();
    } else if (method === "PUT") {
      this.#put(repository, id, upload, url.searchParams.get("digest") ?? "", response);
    } else {
      this.uploads.delete(id);
      response.writeHead(204).end();
    }
  }

  async #patch(
    id: string,
    upload: Upload,
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
  ): Promise<void> {
    const number = this.#patches++;
    const status = this.#faults.patchStatuses?.[number] ?? 202;
    const isTooLarge = Number(request.headers["content-length"]) > (this.#faults.bodyMaxBytes ?? Infinity);
    if (isTooLarge || status !== 202) {
      request.resume();
      if (this.#faults.refusesEarly !== true) await once(request, "end");
      response.writeHead(isTooLarge ? 413 : status).end();
      return;
    }
    const cut = this.#faults.cutAfterBytes?.[number];
    const parts: Buffer[] = [];
    let received = 0;
    for await (const part of request) {
      parts.push(part);
      received += part.length;
      if (number === 0 && received >= (this.#faults.stopsAfterBytes ?? Infinity)) {
        this.#cut(id, upload, Buffer.concat(parts).subarray(0, this.#faults.stopsAfterBytes));
        await new Promise(() => {});
      }
      if (cut === undefined || received < cut) continue;
      this.#cut(id, upload, Buffer.concat(parts).subarray(0, cut));
      request.destroy();
      return;
    }
    upload.bytes = Buffer.concat([upload.bytes, ...parts]);
    upload.step += 1;
    response
      .writeHead(202, { location: this.#location(repository, id, upload.step), range: `0-${received - 1}` })
      .end();
  }

  #cut(id: string, upload: Upload, bytes: Buffer): void {
    upload.bytes = Buffer.concat([upload.bytes, bytes]);
    if (this.#faults.afterCut === "lost") this.uploads.delete(id);
    if (this.#faults.afterCut === "damaged") upload.bytes[0] = (upload.bytes[0] ?? 0) ^ 1;
  }

  #put(repository: string, id: string, upload: Upload, digest: string, response: ServerResponse): void {
    const { putStatus } = this.#faults;
    if (putStatus !== undefined) {
      this.uploads.delete(id);
      response.writeHead(putStatus).end();
      return;
    }
    const actual = `sha256:${createHash("sha256").update(upload.bytes).digest("hex")}`;
    if (actual !== digest) {
      response.writeHead(400).end(JSON.stringify({ errors: [{ code: "DIGEST_INVALID", message: "other digest" }] }));
      return;
    }
    this.blobs.set(`${repository} ${digest}`, upload.bytes);
    this.uploads.delete(id);
    if (this.#faults.losesFirstPut === true && this.#puts++ === 0) response.destroy();
    else response.writeHead(201, { "docker-content-digest": this.#faults.announces ?? digest }).end();
  }
}
