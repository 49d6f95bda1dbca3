/** Parts of blobs, however a server answers a request for ranges. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type OciLayout, parseReference } from "../../src/oci/index.ts";
import { findImageInRegistry, RegistryBlobs } from "../../src/registry/index.ts";
import { layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { skopeoCopy, startDockerRegistry } from "./docker-registry.ts";
import { emptyHost } from "./empty-host.ts";
import {
  type Behaviour,
  cut,
  type Exchange,
  type MisbehavingRegistry,
  sha256,
  startMisbehavingRegistry,
} from "./misbehaving-registry.ts";

const LIMITS = { retries: 2, retryDelayMs: 1 };
const CONTENT = randomBytes(100_000);
const BLOB = { digest: sha256(CONTENT), size: CONTENT.length };
const RANGES = [
  { start: 0, end: 10 },
  { start: 10, end: 10 },
  { start: 10, end: 5000 },
  { start: 70_000, end: 70_001 },
  { start: 99_990, end: 100_000 },
];

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let registry: MisbehavingRegistry;
let layout: OciLayout;
before(async () => {
  scratch = await scratchDirectory();
  ({ layout } = await layeredImage(join(scratch.path, "image"), [randomFiles("a", [10])]));
  await layout.blobs.put(CONTENT);
  registry = await startMisbehavingRegistry(layout);
});
after(async () => {
  await registry.stop();
  await scratch.remove();
});

/** Reads the ranges of the blob; gives their bytes, after checking that the pieces come in order. */
async function read(behaviour: Behaviour, ranges = RANGES): Promise<Buffer[]> {
  registry.reset(layout);
  const reference = parseReference(`docker://${registry.host}/image:t`);
  assert.ok(reference.transport === "docker");
  const { client } = await findImageInRegistry(reference, { paths: await emptyHost(scratch.path), limits: LIMITS });
  registry.behaviour = (exchange) => (exchange.kind === "blob" ? behaviour(exchange) : exchange.answer());
  try {
    const parts: Buffer[][] = ranges.map(() => []);
    let last = 0;
    for await (const { range, bytes } of new RegistryBlobs(client).readRanges(BLOB, ranges)) {
      assert.ok(range >= last);
      last = range;
      parts[range]?.push(Buffer.from(bytes));
    }
    return parts.map((pieces) => Buffer.concat(pieces));
  } finally {
    await client.close();
  }
}

const wanted = (ranges = RANGES) => ranges.map(({ start, end }) => CONTENT.subarray(start, end));

function askedRanges({ request }: Exchange): { start: number; end: number }[] {
  const text = /^bytes=(.+)$/.exec(request.headers.range ?? "")?.[1] ?? "";
  return text.split(",").map((range) => {
    const [start = 0, last = 0] = range.split("-").map(Number);
    return { start, end: last + 1 };
  });
}

function multipart(
  exchange: Exchange,
  ranges: readonly { start: number; end: number }[],
  contentType: string,
  boundary: string,
): void {
  const parts = ranges.map(({ start, end }) =>
    Buffer.concat([
      Buffer.from(`\r\n--${boundary}\r\nContent-Type: x/y\r\nContent-Range: bytes ${start}-${end - 1}/100000\r\n\r\n`),
      CONTENT.subarray(start, end),
    ]),
  );
  const body = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  exchange.response.writeHead(206, { "content-type": contentType, "content-length": body.length }).end(body);
}

test("several ranges come as parts, with quoted and unquoted boundaries", async () => {
  const types = [
    ["multipart/byteranges; boundary=simple", "simple"],
    ['multipart/byteranges; charset=x; boundary="with space \\" and quote"', 'with space " and quote'],
    ["Multipart/ByteRanges;boundary=CloudFront:1234ABCD", "CloudFront:1234ABCD"],
  ] as const;
  for (const [type, boundary] of types) {
    assert.deepEqual(await read((exchange) => multipart(exchange, askedRanges(exchange), type, boundary)), wanted());
  }
  assert.equal(registry.headers.at(-1)?.range, "bytes=0-9,10-4999,70000-70000,99990-99999");
});

test("a server that merges ranges is understood", async () => {
  const merge = (exchange: Exchange) =>
    multipart(
      exchange,
      [
        { start: 0, end: 5000 },
        { start: 60_000, end: 100_000 },
      ],
      "multipart/byteranges; boundary=b",
      "b",
    );
  assert.deepEqual(await read(merge), wanted());
});

test("a server that ignores ranges is put up with: the whole blob is cut here", async () => {
  assert.deepEqual(
    await read(({ response }) => {
      response.end(CONTENT);
    }),
    wanted(),
  );
  assert.equal(registry.log.filter((line) => line.includes("blobs")).length, 1);
});

test("a server that answers only the first of several ranges is asked for the others", async () => {
  const first = (exchange: Exchange) => {
    const [{ start, end } = { start: 0, end: 0 }] = askedRanges(exchange);
    exchange.response.writeHead(206, { "content-range": `bytes ${start}-${end - 1}/100000` });
    exchange.response.end(CONTENT.subarray(start, end));
  };
  assert.deepEqual(await read(first), wanted());
  assert.equal(registry.log.filter((line) => line.includes("blobs")).length, 4);
});

test("a server that refuses many ranges is asked for fewer; one that refuses one serves blobs only whole", async () => {
  const refuse = (exchange: Exchange) => {
    if (askedRanges(exchange).length > 1) exchange.response.writeHead(400).end();
    else exchange.answer();
  };
  assert.deepEqual(await read(refuse), wanted());
  await assert.rejects(
    read(({ response }) => {
      response.writeHead(400).end();
    }),
    { code: "unsupported", message: /^Cannot read parts of blob .*: the registry answered with status 400$/ },
  );
});

test("ranges resume where the connection was cut, also within a part", async () => {
  const whole = [{ start: 1000, end: 99_000 }];
  const once = (exchange: Exchange) => (exchange.before === 0 ? cut(exchange, 0.3) : exchange.answer());
  assert.deepEqual(await read(once, whole), wanted(whole));
  const [first, second] = registry.headers.slice(-2).map(({ range }) => range);
  assert.equal(first, "bytes=1000-98999");
  assert.match(second ?? "", /^bytes=(?!1000-)\d+-98999$/);

  let cuts = 0;
  const within = (exchange: Exchange) => {
    if (cuts++ > 0) return exchange.answer();
    const head = "--b\r\nContent-Range: bytes 0-9/100000\r\n\r\n";
    exchange.response.writeHead(206, { "content-type": "multipart/byteranges; boundary=b" });
    exchange.response.end(Buffer.concat([Buffer.from(head), CONTENT.subarray(0, 4)]));
  };
  assert.deepEqual(await read(within, RANGES.slice(0, 1)), wanted(RANGES.slice(0, 1)));
  assert.equal(registry.headers.at(-1)?.range, "bytes=4-9");
});

test("answers that do not fit the request are refused", async () => {
  const ranged =
    (range: string, bytes: Uint8Array, status = 206) =>
    (exchange: Exchange) => {
      exchange.response.writeHead(status, { "content-range": range }).end(bytes);
    };
  const cases: [Behaviour, string, RegExp][] = [
    [ranged("bytes 0-9/99", CONTENT.subarray(0, 10)), "corrupt", /Content-Range is "bytes 0-9\/99" of a blob/],
    [ranged("bytes 9-0/100000", CONTENT.subarray(0, 10)), "corrupt", /Content-Range is/],
    [ranged("", CONTENT.subarray(0, 10)), "corrupt", /Content-Range is ""/],
    [ranged("bytes 0-9/*", CONTENT.subarray(0, 11)), "corrupt", /more than the 10 bytes it says/],
    [ranged("bytes 7-9/100000", CONTENT.subarray(7, 10)), "unsupported", /asked for bytes from 0, got bytes from 7/],
    [ranged("bytes */50", Buffer.alloc(0), 416), "corrupt", /the registry has no bytes/],
  ];
  for (const [behaviour, code, message] of cases) await assert.rejects(read(behaviour), { code, message });
  const short = ({ response }: Exchange) => {
    response.writeHead(200, { "content-length": 99 }).end(CONTENT.subarray(0, 99));
  };
  await assert.rejects(read(short), { code: "corrupt", message: /it has 99 bytes, expected 100000$/ });
  const twisted = (exchange: Exchange) =>
    multipart(exchange, askedRanges(exchange).reverse(), "multipart/byteranges; boundary=b", "b");
  await assert.rejects(read(twisted), { code: "unsupported" });
  const withoutBoundary = (exchange: Exchange) =>
    multipart(exchange, askedRanges(exchange), "multipart/byteranges; boundary=other", "b");
  await assert.rejects(read(withoutBoundary), { code: "corrupt", message: /boundary between two parts is missing/ });
});

test("ranges out of order, overlapping or outside the blob are refused before anything is asked", async () => {
  for (const ranges of [
    [RANGES[2], RANGES[0]],
    [
      { start: 0, end: 10 },
      { start: 9, end: 12 },
    ],
    [{ start: 99_999, end: 100_001 }],
  ]) {
    await assert.rejects(
      read(
        (exchange) => exchange.answer(),
        ranges.flatMap((range) => range ?? []),
      ),
      {
        code: "usage",
      },
    );
  }
  assert.equal(registry.log.filter((line) => line.includes("blobs")).length, 0);
});

test("docker-registry serves several ranges of a blob at once", async () => {
  const real = await startDockerRegistry();
  try {
    const image = await layeredImage(join(scratch.path, "real"), [randomFiles("a", [300_000])]);
    await skopeoCopy(image.reference, `docker://${real.host}/a:t`);
    const reference = parseReference(`docker://${real.host}/a:t`);
    assert.ok(reference.transport === "docker");
    const { client } = await findImageInRegistry(reference, { paths: await emptyHost(scratch.path) });
    const [blob] = image.layers;
    assert.ok(blob);
    const content = Buffer.from(await image.layout.blobs.readWhole(blob));
    const blobs = new RegistryBlobs(client);
    const pieces: Buffer[][] = [[], [], []];
    const ranges = [
      { start: 5, end: 20 },
      { start: 1000, end: 200_000 },
      { start: blob.size - 1, end: blob.size },
    ];
    for await (const { range, bytes } of blobs.readRanges(blob, ranges)) pieces[range]?.push(Buffer.from(bytes));
    assert.deepEqual(
      pieces.map((parts) => Buffer.concat(parts)),
      ranges.map(({ start, end }) => content.subarray(start, end)),
    );
    assert.deepEqual(Buffer.from(await blobs.readWhole(blob)), content);
    await client.close();
  } finally {
    await real.stop();
  }
});
