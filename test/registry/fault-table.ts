/** The rows of the fault table: what a registry does wrong, and what a pull makes of it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { file, layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { blobLine, countOf, type Fault, onManifest, onTarget, RETRIES, truncatedImage, wrongBytes } from "./fault.ts";
import { cut, sha256 } from "./misbehaving-registry.ts";

function flipped(copy: Buffer<ArrayBuffer>): Buffer {
  copy[copy.length - 10] = (copy[copy.length - 10] ?? 0) ^ 1;
  return copy;
}

function cutAt(share: number): Fault {
  return {
    name: `blob cut after ${share * 100} %, once`,
    behaviour: onTarget((exchange) => (exchange.before === 0 ? cut(exchange, share) : exchange.answer())),
    check: ({ registry: { log, headers }, target }) => {
      assert.equal(countOf(log, blobLine(target)), 2);
      const { range } = headers[log.lastIndexOf(blobLine(target))] ?? {};
      // What was received is not asked for again.
      if (share > 0) assert.match(range ?? "", /^bytes=[1-9]\d*-\d+$/);
    },
  };
}

export const FAULTS: readonly Fault[] = [
  ...[0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map(cutAt),
  {
    name: "blob cut again and again, each time a tenth further",
    behaviour: onTarget((exchange) => (exchange.before < 8 ? cut(exchange, 0.1) : exchange.answer())),
  },
  {
    name: "blob cut again and again, without progress",
    behaviour: onTarget((exchange) => cut(exchange, 0)),
    refusal: {
      code: "no-network",
      message:
        /^Cannot read layer \d of \d \(sha256:\w+\): Cannot reach http:\/\/127\.0\.0\.1:\d+: (aborted|socket hang up|.*RESET)/,
    },
    check: ({ registry, target }) => assert.ok(countOf(registry.log, blobLine(target)) <= 2 * (RETRIES + 1)),
  },
  {
    name: "blob cut, then sent from its beginning instead of resumed",
    behaviour: onTarget((exchange) => {
      if (exchange.before === 0) cut(exchange, 0.5);
      else wrongBytes(exchange, (copy) => copy);
    }),
  },
  {
    name: "blob cut, then resumed at another place",
    behaviour: onTarget((exchange) => {
      if (exchange.before === 0) return cut(exchange, 0.5);
      const { response, bytes = Buffer.alloc(0) } = exchange;
      response.writeHead(206, { "content-range": `bytes 5-${bytes.length - 1}/${bytes.length + 1}` });
      response.end(bytes.subarray(5));
    }),
    refusal: { code: "corrupt", message: /Content-Range is "bytes 5-/ },
  },
  {
    name: "blob with another digest",
    behaviour: onTarget((exchange) => wrongBytes(exchange, flipped)),
    refusal: { code: "corrupt", message: /digest|checksum|decompress/i },
  },
  {
    name: "blob longer than its descriptor says",
    behaviour: onTarget((exchange) => wrongBytes(exchange, (copy) => Buffer.concat([copy, Buffer.alloc(7)]))),
    refusal: {
      code: "corrupt",
      message: /^Cannot read layer \d of \d \(sha256:\w+\): Cannot accept blob .*: it has \d+ bytes, expected \d+$/,
    },
  },
  {
    name: "blob shorter than its descriptor says",
    behaviour: onTarget((exchange) => wrongBytes(exchange, (copy) => copy.subarray(0, -7))),
    refusal: {
      code: "corrupt",
      message: /^Cannot read layer \d of \d \(sha256:\w+\): Cannot accept blob .*: it has \d+ bytes, expected \d+$/,
    },
  },
  {
    name: "blob without announced length, and too long",
    behaviour: onTarget(({ response, bytes }) => {
      response.write(bytes);
      response.end("and more");
    }),
    refusal: { code: "corrupt", message: /the answer has more than/ },
  },
  {
    name: "blob that is not there",
    behaviour: onTarget(({ response }) => {
      response.writeHead(404).end(JSON.stringify({ errors: [{ code: "BLOB_UNKNOWN", message: "blob unknown" }] }));
    }),
    refusal: {
      code: "not-found",
      message:
        /^Cannot read layer \d of \d \(sha256:\w+\): Cannot read blob .* answered with status 404: blob unknown$/,
    },
  },
  {
    name: "manifest with another digest than announced",
    behaviour: onManifest(({ response, mediaType, bytes = Buffer.alloc(0) }) => {
      response.writeHead(200, { "content-type": mediaType, "docker-content-digest": sha256(bytes) });
      response.end(Buffer.concat([bytes, Buffer.from("\n")]));
    }),
    refusal: {
      code: "corrupt",
      message: /^Cannot accept manifest .*: its digest is sha256:\w+, the registry announced/,
    },
  },
  {
    name: "manifest of more than 4 MiB",
    behaviour: onManifest(({ response, mediaType }) => {
      response.writeHead(200, { "content-type": mediaType }).end(Buffer.alloc((4 << 20) + 1, " "));
    }),
    refusal: { code: "unsupported", message: /it has more than 4194304 bytes$/ },
  },
  {
    name: "redirects without end",
    behaviour: onTarget(({ response, url, before }) => {
      response.writeHead(307, { location: `${url.pathname}?${before}` }).end();
    }),
    refusal: { code: "failed", message: /more than 10 redirects$/ },
  },
  {
    name: "401 again and again",
    behaviour:
      ({ registry }) =>
      (exchange) => {
        if (exchange.url.pathname === "/token") exchange.response.end('{"token":"abc"}');
        else {
          const challenge = `Bearer realm="http://${registry.host}/token",service="here"`;
          exchange.response.writeHead(401, { "www-authenticate": challenge }).end();
        }
      },
    refusal: { code: "no-access", message: /answered with status 401$/ },
    check: ({ registry: { log } }) => assert.ok(log.length < 8, log.join("\n")),
  },
  {
    name: "429 with Retry-After, then well",
    behaviour: onTarget((exchange) => {
      if (exchange.before === 0) exchange.response.writeHead(429, { "retry-after": "1" }).end();
      else exchange.answer();
    }),
  },
  {
    name: "429 for good",
    behaviour: onTarget(({ response }) => {
      response.writeHead(429, { "retry-after": "0" }).end();
    }),
    refusal: { code: "failed", message: /answered with status 429/ },
    check: ({ registry, target }) => assert.equal(countOf(registry.log, blobLine(target)), RETRIES + 1),
  },
  {
    name: "500 and 503, then well",
    behaviour: onTarget((exchange) => {
      if (exchange.before < 2) exchange.response.writeHead(exchange.before === 0 ? 500 : 503).end("<html>busy</html>");
      else exchange.answer();
    }),
  },
  {
    name: "connection closed without an answer, then well",
    behaviour: onTarget((exchange) => {
      if (exchange.before < 2) exchange.request.socket.destroy();
      else exchange.answer();
    }),
  },
  {
    name: "no answer at all",
    limits: { headTimeoutMs: 400 },
    behaviour: onTarget(() => {}),
    refusal: {
      code: "timeout",
      message: /^Cannot read layer \d of \d \(sha256:\w+\): Cannot wait for .*: no answer after 400 ms$/,
    },
  },
  {
    name: "slow drip",
    limits: { stallTimeoutMs: 400 },
    behaviour: onTarget(async ({ request, response, bytes = Buffer.alloc(0) }) => {
      response.writeHead(200, { "content-length": bytes.length });
      for (const byte of bytes) {
        if (request.socket.destroyed) return;
        response.write(Buffer.of(byte));
        await sleep(50);
      }
    }),
    refusal: {
      code: "timeout",
      message: /^Cannot read layer \d of \d \(sha256:\w+\): Cannot wait for .*: less than 4096 bytes in 400 ms$/,
    },
  },
  {
    name: "redirect to another host, which cuts: no token there, the range stays",
    behaviour:
      ({ registry, target }) =>
      ({ request, response, url, kind, reference, answer }) => {
        if (url.pathname === "/token") response.end('{"access_token":"secret-token"}');
        else if (request.headers.authorization !== "Bearer secret-token") {
          const realm = `http://${registry.host}/token`;
          response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="a, b"` }).end();
        } else if (kind === "blob" && reference === target) {
          response.writeHead(307, { location: `http://${registry.elsewhere.host}/v2/image/blobs/${target}` }).end();
        } else answer();
      },
    elsewhere: (exchange) => (exchange.before === 0 ? cut(exchange, 0.5) : exchange.answer()),
    check: ({ registry: { elsewhere } }) => {
      assert.deepEqual(
        elsewhere.headers.map(({ authorization }) => authorization),
        [undefined, undefined],
      );
      assert.match(elsewhere.headers[1]?.range ?? "", /^bytes=[1-9]\d*-\d+$/);
    },
  },
  {
    name: "truncated gzip, by the right digest",
    image: (directory) => truncatedImage(directory, "gzip"),
    refusal: { code: "corrupt", message: /^Cannot read layer \d of \d \(sha256:\w+\): Cannot (decompress|read) gzip/i },
  },
  {
    name: "truncated zstd, by the right digest",
    image: (directory) => truncatedImage(directory, "zstd"),
    refusal: { code: "corrupt", message: /zstd/i },
  },
  {
    name: "a manifest that lists a layer twice",
    image: (directory) => {
      const layers = [randomFiles("a", [50_000]), randomFiles("a", [50_000])];
      return layeredImage(directory, layers, { order: [0, 1, 0] });
    },
    check: ({ registry: { log }, image }) => {
      assert.equal(countOf(log, blobLine(image.layers[0]?.digest ?? "")), 1);
    },
  },
  {
    name: "a bomb: 16 MiB of zeros where 8 MiB are allowed",
    image: (directory) => layeredImage(directory, [[file("zeros", Buffer.alloc(16 << 20))]], { compression: "gzip" }),
    layerLimitBytes: 8 << 20,
    refusal: {
      code: "unsupported",
      message: /^Cannot read layer .* Cannot unpack it: its \d+ bytes become more than 8388608$/,
    },
  },
];
