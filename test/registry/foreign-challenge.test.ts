/** Only the registry's own origin says where to log in: what it leads to gets no credentials, however it asks. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, before, test } from "node:test";
import { parseReference } from "../../src/oci/index.ts";
import { listTags, openForWriting, type RegistryClient } from "../../src/registry/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost } from "./empty-host.ts";
import { startServer } from "./misbehaving-registry.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
type Server = Awaited<ReturnType<typeof startServer>>;

interface Place extends Server {
  /** `METHOD PATH AUTHORIZATION` of every request. */
  readonly seen: string[];
  answer: Handler;
}

const servers: Place[] = [];
let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let registry: Place;
/** Where the registry leads. */
let other: Place;
/** Where the other place says that one logs in. */
let thief: Place;

before(async () => {
  scratch = await scratchDirectory();
  [registry, other, thief] = [await startPlace(), await startPlace(), await startPlace()];
});
after(async () => {
  for (const server of servers) await server.stop();
  await scratch.remove();
});

async function startPlace(): Promise<Place> {
  const state: { seen: string[]; answer: Handler } = { seen: [], answer: (_, response) => response.end("{}") };
  const server = await startServer((request, response) => {
    request.resume();
    state.seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
    state.answer(request, response);
  });
  const place = Object.assign(state, server);
  servers.push(place);
  return place;
}

/** A client that would log in with a password if it were asked to by whom it should trust. */
async function withClient(work: (client: RegistryClient) => Promise<void>): Promise<void> {
  for (const server of servers) server.seen.length = 0;
  const reference = parseReference(`docker://${registry.host}/some/image:t`);
  assert.ok(reference.transport === "docker");
  const client = await openForWriting(reference, {
    paths: await emptyHost(scratch.path),
    limits: { retries: 0 },
    credentials: { type: "password", userName: "alice", password: "s3cret" },
  });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

/** What the other place asks for. */
const CHALLENGES: Readonly<Record<string, () => string | undefined>> = {
  "a token of a place of its choice": () => `Bearer realm="http://${thief.host}/token",service="s"`,
  "one more right": () =>
    `Bearer realm="http://${thief.host}/token",error="insufficient_scope",scope="repository:x:pull"`,
  "the password itself": () => 'Basic realm="r"',
  "no one knows what": () => undefined,
};

function demands(challenge: string | undefined): Handler {
  return (request, response) => {
    request.resume();
    response.writeHead(401, challenge === undefined ? {} : { "www-authenticate": challenge }).end();
  };
}

/** The ways in which a registry leads elsewhere. */
const WAYS: Readonly<Record<string, { answer: Handler; work(client: RegistryClient): Promise<unknown> }>> = {
  "a blob's redirect": {
    answer: redirecting,
    work: (client) => client.request("GET", `blobs/sha256:${"0".repeat(64)}`, { action: "Cannot read" }),
  },
  "a manifest's redirect": {
    answer: redirecting,
    work: (client) => client.request("GET", "manifests/t", { action: "Cannot read" }),
  },
  "the redirect of a look": {
    answer: redirecting,
    work: (client) => client.request("HEAD", "manifests/t", { action: "Cannot read" }),
  },
  "the redirect of a body": {
    answer: (request, response) => (request.url === "/v2/" ? response.end("{}") : redirecting(request, response)),
    work: (client) => client.request("PUT", "manifests/t", { body: Buffer.from("{}"), action: "Cannot write" }),
  },
  "a Link": {
    answer: (_, response) => {
      response
        .writeHead(200, { link: `<http://${other.host}/v2/some/image/tags/list>; rel="next"` })
        .end('{"tags":[]}');
    },
    work: (client) => listTags(client),
  },
  "an upload's Location": {
    answer: (_, response) => response.end("{}"),
    work: (client) =>
      client.request("PATCH", new URL(`http://${other.host}/upload`), {
        body: Buffer.from("blob"),
        expect: [202],
        action: "Cannot send",
      }),
  },
};

function redirecting(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
}

for (const [way, { answer, work }] of Object.entries(WAYS)) {
  for (const [asked, challenge] of Object.entries(CHALLENGES)) {
    test(`${way} leads to a place that wants ${asked}: it gets nothing`, async () => {
      registry.answer = answer;
      other.answer = demands(challenge());
      await withClient(async (client) => {
        await assert.rejects(work(client), {
          code: "no-access",
          message: new RegExp(`^Cannot .*: ${registry.host} led to ${other.host}, which wants a login of its own$`),
        });
        registry.answer = (_, response) => response.end("{}");
        (await client.request("GET", "manifests/t", { action: "Cannot read" })).discard();
      });
      assert.deepEqual(thief.seen, []);
      assert.equal(other.seen.length, 1);
      for (const line of [...other.seen, ...registry.seen]) assert.match(line, / -$/);
    });
  }
}

test("a registry that has asked for a login itself does not learn from another place either", async () => {
  registry.answer = (request, response) => {
    if (request.url?.startsWith("/token")) response.end('{"token":"own"}');
    else if (request.headers.authorization === "Bearer own") redirecting(request, response);
    else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
  };
  for (const challenge of Object.values(CHALLENGES)) {
    other.answer = demands(challenge());
    await withClient(async (client) => {
      const read = () => client.request("GET", "manifests/t", { action: "Cannot read" });
      await assert.rejects(read(), { code: "no-access", message: / which wants a login of its own$/ });
      await assert.rejects(read(), { code: "no-access", message: / which wants a login of its own$/ });
    });
    assert.deepEqual(thief.seen, []);
    assert.deepEqual(other.seen, ["GET /v2/some/image/manifests/t -", "GET /v2/some/image/manifests/t -"]);
    // One token, and no scope that somebody else named.
    const tokens = registry.seen.filter((line) => line.startsWith("GET /token"));
    assert.deepEqual(tokens, [
      "GET /token?account=alice&scope=repository%3Asome%2Fimage%3Apull Basic YWxpY2U6czNjcmV0",
    ]);
  }
});

test("where /v2/ itself leads elsewhere, nobody is believed", async () => {
  registry.answer = (request, response) => {
    if (request.url === "/v2/") redirecting(request, response);
    else response.writeHead(401).end();
  };
  other.answer = demands(`Bearer realm="http://${thief.host}/token"`);
  await withClient(async (client) => {
    const refusal = { code: "no-access", message: `Cannot read: ${registry.host} answered with status 401` };
    await assert.rejects(client.request("GET", "manifests/t", { action: "Cannot read" }), refusal);
  });
  assert.deepEqual(thief.seen, []);
});

test("a redirect that comes back to the registry may be answered with the registry's own question", async () => {
  registry.answer = (request, response) => {
    if (request.url?.startsWith("/token")) response.end('{"token":"own"}');
    else if (request.headers.authorization === "Bearer own") response.end("{}");
    else if (request.url === "/v2/some/image/manifests/t") redirecting(request, response);
    else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
  };
  other.answer = (_, response) => response.writeHead(307, { location: `http://${registry.host}/back` }).end();
  await withClient(async (client) => {
    (await client.request("GET", "manifests/t", { action: "Cannot read" })).discard();
  });
  assert.deepEqual(thief.seen, []);
  for (const line of other.seen) assert.match(line, / -$/);
});

test("an upload goes to the place its Location names, and the registry's token does not", async () => {
  registry.answer = (request, response) => {
    if (request.url?.startsWith("/token")) response.end('{"token":"own"}');
    else if (request.headers.authorization === "Bearer own") response.end("{}");
    else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
  };
  other.answer = (_, response) => response.writeHead(202).end();
  await withClient(async (client) => {
    const location = new URL(`http://${other.host}/upload`);
    const request = { body: Buffer.from("blob"), expect: [202], action: "Cannot send" };
    (await client.request("PATCH", location, request)).discard();
    (await client.request("PATCH", location, request)).discard();
  });
  assert.deepEqual(other.seen, ["PATCH /upload -", "PATCH /upload -"]);
});
