/** Tokens, scopes, identity tokens, and what a client does when they are refused (spec/chunked-and-policy.md 4.1). */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { parseReference } from "../../src/oci/index.ts";
import { type Credentials, openForWriting, type RegistryClient } from "../../src/registry/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost } from "./empty-host.ts";
import { startServer } from "./misbehaving-registry.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let server: Awaited<ReturnType<typeof startServer>>;
let answer: Answer;
let tokenRequests: string[];
let body: string;

before(async () => {
  scratch = await scratchDirectory();
  server = await startServer((request, response) => {
    const url = new URL(request.url ?? "/", `http://${server.host}`);
    if (!url.pathname.startsWith("/token")) return answer(request, response, url);
    tokenRequests.push(`${request.method} ${url.search}`);
    body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString();
    });
    request.on("end", () => answer(request, response, url));
  });
});
beforeEach(() => {
  tokenRequests = [];
});
after(async () => {
  await server.stop();
  await scratch.remove();
});

async function withClient(work: (client: RegistryClient) => Promise<void>, credentials?: Credentials): Promise<void> {
  const reference = parseReference(`docker://${server.host}/some/image:t`);
  assert.ok(reference.transport === "docker");
  const client = await openForWriting(reference, {
    paths: await emptyHost(scratch.path),
    limits: { retries: 0 },
    ...(credentials === undefined ? {} : { credentials }),
  });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

const realm = (path = "/token") => `http://${server.host}${path}`;

function challenge(response: ServerResponse, more = ""): void {
  response.writeHead(401, { "www-authenticate": `Bearer realm="${realm()}",service="the service"${more}` });
  response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
}

const get = (client: RegistryClient, path = "manifests/t", scopes?: readonly string[]) =>
  client.request("GET", path, { action: "Cannot read", ...(scopes === undefined ? {} : { scopes }) });

const ISSUED = '{"token":"t1","expires_in":300}';

/** Demands the token and, asked for one, gives it. */
const demand: Answer = (request, response, url) => {
  if (url.pathname === "/token") response.end(ISSUED);
  else if (request.headers.authorization === "Bearer t1") response.end("{}");
  else challenge(response);
};

test("a token is asked for with account, service and one parameter a scope, once for each set of scopes", async () => {
  answer = demand;
  await withClient(
    async (client) => {
      await Promise.all([get(client), get(client), get(client)]);
      assert.deepEqual(tokenRequests, ["GET ?account=me&service=the+service&scope=repository%3Asome%2Fimage%3Apull"]);
      const scopes = [client.scope("pull,push"), "repository:other:pull"];
      await get(client, "manifests/t", scopes);
      await get(client, "manifests/t", scopes.toReversed());
      assert.deepEqual(tokenRequests.slice(1), [
        "GET ?account=me&service=the+service&scope=repository%3Asome%2Fimage%3Apull%2Cpush&scope=repository%3Aother%3Apull",
      ]);
    },
    { type: "password", userName: "me", password: "secret" },
  );
});

test("parameters of the realm stay, anonymous users get a token too, access_token is one", async () => {
  answer = (request, response, url) => {
    if (url.pathname === "/token") response.end('{"access_token":"t1"}');
    else if (request.headers.authorization === "Bearer t1") response.end("{}");
    else response.writeHead(401, { "www-authenticate": `Bearer realm="${realm("/token?a=1%2C2")}"` }).end();
  };
  await withClient(async (client) => {
    await get(client);
    assert.deepEqual(tokenRequests, ["GET ?a=1%2C2&scope=repository%3Asome%2Fimage%3Apull"]);
  });
});

test("null is absent and an empty token is none, as Go programs write and read them", async () => {
  for (const text of [
    '{"token":"","access_token":"t1"}',
    '{"token":null,"access_token":"t1"}',
    '{"token":"t1","expires_in":null}',
    '{"token":"t1","access_token":null,"issued_at":null}',
    '{"access_token":"t1","token":"","refresh_token":null}',
  ]) {
    answer = (request, response, url) => {
      if (url.pathname === "/token") response.end(text);
      else demand(request, response, url);
    };
    await withClient(async (client) => {
      await get(client);
    });
  }
});

test("an identity token is exchanged by a form", async () => {
  answer = demand;
  await withClient(
    async (client) => {
      await get(client);
      assert.deepEqual(tokenRequests, ["POST "]);
      assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
        grant_type: "refresh_token",
        refresh_token: "identity",
        client_id: "sealroot",
        service: "the service",
        scope: "repository:some/image:pull",
      });
    },
    { type: "identity-token", token: "identity" },
  );
});

test("a missing scope is added once; a token that has run out is renewed once", async () => {
  const wanted = "repository:base:pull";
  answer = (request, response, url) => {
    if (url.pathname === "/token") {
      response.end(JSON.stringify({ token: url.searchParams.getAll("scope").includes(wanted) ? "both" : "one" }));
    } else if (request.headers.authorization === "Bearer both") response.end("{}");
    else challenge(response, `,error="insufficient_scope",scope="${wanted}"`);
  };
  await withClient(async (client) => {
    await get(client);
    assert.equal(tokenRequests.length, 2);
  });

  tokenRequests = [];
  let valid = "";
  answer = (request, response, url) => {
    if (url.pathname === "/token") {
      valid = `t${tokenRequests.length}`;
      response.end(JSON.stringify({ token: valid }));
    } else if (request.headers.authorization === `Bearer ${valid}` && valid !== "") response.end("{}");
    else challenge(response);
  };
  await withClient(async (client) => {
    await get(client);
    valid = "another";
    await get(client);
    assert.equal(tokenRequests.length, 2);
  });
});

test("what stays refused is told with the registry's words, and the token service's refusal with its own", async () => {
  answer = (_, response, url) => {
    if (url.pathname === "/token") response.end(ISSUED);
    else challenge(response);
  };
  await withClient(async (client) => {
    await assert.rejects(get(client), {
      code: "no-access",
      message: `Cannot read: ${server.host} answered with status 401: authentication required`,
    });
    assert.equal(tokenRequests.length, 1);
  });
  answer = (_, response, url) => {
    if (url.pathname === "/token") response.writeHead(403).end("not <b>you</b>");
    else challenge(response);
  };
  await withClient(async (client) => {
    await assert.rejects(get(client), {
      code: "no-access",
      message: `Cannot get a token: ${server.host} answered with status 403: not <b>you</b>`,
    });
  });
  for (const text of [
    "{}",
    '{"token":"","access_token":null}',
    "null",
    "no json",
    '{"token":"two\\nlines"}',
    '{"token":5}',
  ]) {
    answer = (_, response, url) => {
      if (url.pathname === "/token") response.end(text);
      else challenge(response);
    };
    await withClient(async (client) => {
      await assert.rejects(get(client), { code: "corrupt", message: /answered with something else$/ });
    });
  }
});

test("a challenge that only /v2/ names is found, and a body is not sent before it is known", async () => {
  const seen: string[] = [];
  answer = (request, response, url) => {
    if (url.pathname === "/token") return demand(request, response, url);
    seen.push(`${request.method} ${url.pathname} ${request.headers.authorization ?? "-"}`);
    if (request.headers.authorization === "Bearer t1") response.end("{}");
    else if (url.pathname === "/v2/") challenge(response);
    else response.writeHead(401).end();
  };
  await withClient(async (client) => {
    await get(client);
    assert.deepEqual(seen.splice(0), [
      "GET /v2/some/image/manifests/t -",
      "GET /v2/ -",
      "GET /v2/some/image/manifests/t Bearer t1",
    ]);
  });
  await withClient(async (client) => {
    await client.request("PUT", "manifests/t", { body: Buffer.from("{}"), action: "Cannot write" });
    assert.deepEqual(seen, ["GET /v2/ -", "PUT /v2/some/image/manifests/t Bearer t1"]);
  });
});

test("credentials stay with the registry: another host named by it gets none", async () => {
  const seen: (string | undefined)[] = [];
  const other = await startServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end("{}");
  });
  try {
    answer = demand;
    await withClient(async (client) => {
      await get(client);
      await client.request("GET", new URL(`http://${other.host}/v2/elsewhere`), { action: "Cannot read" });
    });
    assert.deepEqual(seen, [undefined]);
  } finally {
    await other.stop();
  }
});

test("a registry that wants one scope more each time is given up", async () => {
  let asked = 0;
  answer = (_, response, url) => {
    if (url.pathname === "/token") response.end(ISSUED);
    else challenge(response, `,error="insufficient_scope",scope="repository:some/image:right-${asked++}"`);
  };
  await withClient(async (client) => {
    await assert.rejects(get(client), { code: "no-access", message: /status 401/ });
  });
  assert.equal(tokenRequests.length, 8);
});

test("what a registry says reaches a terminal on one line, and without its commands", async () => {
  const message = `no\u001b]0;title\u0007\r\n${"x".repeat(2000)}`;
  answer = (_, response) => {
    response.writeHead(403);
    response.end(JSON.stringify({ errors: [{ code: "DENIED", message }] }));
  };
  await withClient(async (client) => {
    await assert.rejects(get(client), {
      message: /^Cannot read: \S+ answered with status 403: no\\u001b]0;title\\u0007\\r\\nx{986}$/,
    });
  });
});

test("an identity token does not follow a redirect to another host", async () => {
  let led = 0;
  const other = await startServer((_, response) => {
    led++;
    response.end(ISSUED);
  });
  answer = (_, response, url) => {
    if (url.pathname !== "/token") return challenge(response);
    response.writeHead(307, { location: `http://${other.host}/token` }).end();
  };
  await withClient(
    async (client) => {
      const refusal = { code: "no-access", message: /: it leads to http:\/\/127\S+, which is not for the token$/ };
      await assert.rejects(get(client), refusal);
    },
    { type: "identity-token", token: "secret" },
  );
  assert.equal(led, 0);
  await other.stop();
});

test("a registry on this machine does not send a password to another machine without encryption", async () => {
  answer = (_, response) =>
    response.writeHead(401, { "www-authenticate": 'Bearer realm="http://192.0.2.1/token"' }).end();
  await withClient(
    async (client) => {
      await assert.rejects(get(client), {
        code: "no-access",
        message: `Cannot log in to ${server.host}: it sends credentials to http://192.0.2.1, which is not encrypted`,
      });
    },
    { type: "password", userName: "me", password: "secret" },
  );
});
