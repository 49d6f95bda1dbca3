/** The ground below: proxies, TLS, redirects, warnings. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { createServer as createPlain } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { WorkEvent } from "../../src/events/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { openForWriting, type RegistryClient, type RegistryOptions } from "../../src/registry/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { type Authority, makeAuthority } from "./authority.ts";
import { emptyHost } from "./empty-host.ts";
import { startServer } from "./misbehaving-registry.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let authority: Authority;
before(async () => {
  scratch = await scratchDirectory();
  authority = await makeAuthority(scratch.path);
});
after(() => scratch.remove());

async function clientFor(host: string, options: RegistryOptions = {}): Promise<RegistryClient> {
  const reference = parseReference(`docker://${host}/image:t`);
  assert.ok(reference.transport === "docker");
  return openForWriting(reference, { paths: await emptyHost(scratch.path), limits: { retries: 0 }, ...options });
}

const read = (client: RegistryClient, path: string | URL = "manifests/t") =>
  client.request("GET", path, { action: "Cannot read" });

/** Reads something once. */
async function reach(host: string, options: RegistryOptions = {}): Promise<void> {
  const client = await clientFor(host, options);
  await read(client).finally(() => client.close());
}

interface TlsOptions {
  readonly name?: string;
  readonly answer?: (client: string | undefined) => {
    readonly status?: number;
    readonly headers?: Record<string, string>;
  };
}

/** A server with HTTPS that looks at the client's certificate. */
async function startTlsServer({ name = "IP:127.0.0.1", answer = () => ({}) }: TlsOptions = {}) {
  const { certificate, key } = await authority.issue(scratch.path, `server-${++made}`, name);
  const options = { cert: await readFile(certificate), key: await readFile(key), requestCert: true };
  const server = createTlsServer({ ...options, rejectUnauthorized: false }, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    const { status = 200, headers = {} } = answer(subject?.CN === undefined ? undefined : String(subject.CN));
    response.writeHead(status, headers).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { host: `127.0.0.1:${port}`, port, stop };
}
let made = 0;

test("plain HTTP goes through a proxy as the variables say, and never to this machine itself", async () => {
  const seen: string[] = [];
  const proxy = await startServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end("{}");
  });
  const direct = await startServer((_, response) => {
    response.end("{}");
  });
  const environment = { http_proxy: `http://${proxy.host}`, NO_PROXY: "no.invalid,.skipped.invalid" };
  const client = await clientFor(direct.host, { paths: await emptyHost(scratch.path, environment) });
  try {
    await read(client);
    assert.deepEqual(seen, []);
    await read(client, new URL("http://other.invalid:81/v2/x"));
    assert.deepEqual(seen, ["GET http://other.invalid:81/v2/x"]);
    for (const host of ["no.invalid:81", "a.skipped.invalid:81"]) {
      await assert.rejects(read(client, new URL(`http://${host}/v2/x`)), { code: "no-network" });
    }
    assert.equal(seen.length, 1);
  } finally {
    await client.close();
    await proxy.stop();
    await direct.stop();
  }
});

test("HTTPS goes through a proxy as a tunnel; one that does not open it is an error of the network", async () => {
  const registry = await startTlsServer({ name: "DNS:registry.invalid" });
  const asked: string[] = [];
  const proxy = createPlain();
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    if (request.url !== "registry.invalid:443") return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const tunnel = connect(registry.port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      tunnel.pipe(socket).pipe(tunnel);
    });
    for (const end of [tunnel, socket]) end.on("error", () => end.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  const paths = await emptyHost(scratch.path, { HTTPS_PROXY: `http://user:secret@127.0.0.1:${port}` });
  const { certificateDirectory } = authority;
  try {
    await reach("registry.invalid", { paths, certificateDirectory });
    await assert.rejects(reach("closed.invalid", { paths, certificateDirectory }), {
      code: "no-network",
      message: /^Cannot reach https:\/\/closed\.invalid: Failed to establish tunnel(?!.*secret)/,
    });
    assert.deepEqual(asked, ["registry.invalid:443", "closed.invalid:443"]);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
    await registry.stop();
  }
});

test("certs.d: the authority and the client's certificate of a host; the first directory that exists counts", async () => {
  const clients: (string | undefined)[] = [];
  const server = await startTlsServer({
    answer: (client) => {
      clients.push(client);
      return {};
    },
  });
  try {
    const paths = await emptyHost(scratch.path);
    const system = join(paths.etcDirectory, "containers/certs.d", server.host);
    const user = join(paths.homeDirectory, ".config/containers/certs.d", server.host);
    await mkdir(system, { recursive: true });
    await copyFile(join(authority.certificateDirectory, "ca.crt"), join(system, "ca.crt"));
    const { key } = await authority.issue(system, "client", "DNS:client");
    await reach(server.host, { paths });
    assert.deepEqual(new Set(clients), new Set(["client"]));
    await mkdir(user, { recursive: true });
    await assert.rejects(reach(server.host, { paths }), { code: "no-access" });
    await rm(user, { recursive: true });
    await rm(key);
    await assert.rejects(reach(server.host, { paths }), {
      code: "conflict",
      message: `Cannot use ${join(system, "client.cert")}: client.key is missing beside it`,
    });
    const absent = join(scratch.path, "no-certs");
    await assert.rejects(reach(server.host, { paths, certificateDirectory: absent }), { code: "not-found" });
  } finally {
    await server.stop();
  }
});

test("a certificate for another name is refused, also where plain HTTP would be accepted", async () => {
  const server = await startTlsServer({ name: "DNS:other.example" });
  try {
    await assert.rejects(reach(server.host, { certificateDirectory: authority.certificateDirectory }), {
      code: "no-access",
      message: /certificate is not accepted/,
    });
    await reach(server.host, { tlsVerify: false });
  } finally {
    await server.stop();
  }
});

test("a redirect from HTTPS to HTTP is refused unless the registry is insecure", async () => {
  const plain = await startServer((_, response) => {
    response.end("{}");
  });
  const server = await startTlsServer({
    answer: () => ({ status: 302, headers: { location: `http://${plain.host}/x` } }),
  });
  try {
    await assert.rejects(reach(server.host, { certificateDirectory: authority.certificateDirectory }), {
      code: "no-access",
      message: `Cannot continue from https://${server.host}: it leads to http://${plain.host}`,
    });
    const client = await clientFor(server.host, { certificateDirectory: authority.certificateDirectory });
    // As a Location or Link may say; the host is the same, the scheme is not.
    await assert
      .rejects(read(client, new URL(`http://${server.host}/v2/x`)), { code: "no-access" })
      .finally(() => client.close());
    await reach(server.host, { tlsVerify: false });
  } finally {
    await server.stop();
    await plain.stop();
  }
});

test("warnings of a registry are told, each once", async () => {
  const server = await startServer((_, response) => {
    response.setHeader("warning", ['299 - "this registry \\"closes\\" soon"', '199 - "not for users"']);
    response.end("{}");
  });
  const events: WorkEvent[] = [];
  const client = await clientFor(server.host, { events: (event) => events.push(event) });
  try {
    await read(client);
    await read(client);
    assert.deepEqual(events, [
      { type: "message", level: "warning", text: `${server.host} says: this registry "closes" soon` },
    ]);
  } finally {
    await client.close();
    await server.stop();
  }
});

test("a request says who asks, and that bodies are wanted as they are", async () => {
  const seen: (string | undefined)[][] = [];
  const server = await startServer((request, response) => {
    seen.push([request.headers["user-agent"], request.headers["accept-encoding"]]);
    response.end("{}");
  });
  try {
    await reach(server.host);
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    assert.deepEqual(seen, [[`sealroot/${version}`, "identity"]]);
  } finally {
    await server.stop();
  }
});

test("a server that hangs up on TLS is asked by plain HTTP at once, without waiting and trying again", async () => {
  const plain = createPlain((_, response) => {
    response.end("{}");
  });
  const hangUps: number[] = [];
  // A TLS record begins with 0x16 (RFC 8446 section 5.1).
  const front = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (first) => {
      if (first[0] === 0x16) {
        hangUps.push(1);
        socket.destroy();
      } else {
        socket.unshift(first);
        plain.emit("connection", socket);
      }
    });
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as AddressInfo;
  try {
    await reach(`127.0.0.1:${port}`, { limits: { retries: 4, retryDelayMs: 60_000 } });
    assert.equal(hangUps.length, 1);
  } finally {
    front.close();
    plain.closeAllConnections();
  }
});

test("an answer to HEAD leaves its connection for the next request, however long the blob", async () => {
  const ports = new Set<number | undefined>();
  const server = await startServer((request, response) => {
    ports.add(request.socket.remotePort);
    response.writeHead(200, { "content-length": String(1 << 30) }).end();
  });
  const client = await clientFor(server.host, { tlsVerify: false });
  for (let times = 0; times < 3; times++) {
    const answer = await client.request("HEAD", "blobs/x", { action: "Cannot look" });
    answer.discard();
    // The connection is free in the next turn.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await client.close();
  await server.stop();
  assert.ok(ports.size <= 2, `${ports.size} connections`);
});
