/** Proxies of the environment: what Node would pass over is refused, or written as Node wants it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HttpClient } from "../../src/registry/index.ts";
import { proxyEnvironment } from "../../src/registry/proxies.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost } from "./empty-host.ts";
import { startServer } from "./misbehaving-registry.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

test("addresses of proxies, with and without a scheme", () => {
  for (const [value, address] of [
    ["http://proxy.example:3128", "http://proxy.example:3128/"],
    ["https://proxy.example", "https://proxy.example/"],
    ["proxy.example:3128", "http://proxy.example:3128/"],
    [" proxy ", "http://proxy/"],
    ["user:secret@proxy:1", "http://user:secret@proxy:1/"],
  ] as const) {
    for (const name of ["http_proxy", "HTTPS_PROXY"]) assert.equal(proxyEnvironment({ [name]: value })[name], address);
  }
  assert.deepEqual(proxyEnvironment({ https_proxy: "", NO_PROXY: "a" }), { https_proxy: "", NO_PROXY: "a" });
});

test("what is not an HTTP proxy is refused, without its password", () => {
  for (const [value, code, message] of [
    ["socks5://h:1", "unsupported", 'Cannot use proxy "socks5://h:1" of https_proxy: socks5 is not supported'],
    ["socks5://u:secret@h:1", "unsupported", 'Cannot use proxy "socks5://h:1" of https_proxy: socks5 is not supported'],
    ["http://h:99999", "usage", 'Cannot use proxy "http://h:99999" of https_proxy: it is not an address'],
    ["u:secret@h:99999", "usage", 'Cannot use proxy "h:99999" of https_proxy: it is not an address'],
    ["://", "usage", 'Cannot use proxy "://" of https_proxy: it is not an address'],
    ["two words", "usage", 'Cannot use proxy "two words" of https_proxy: it is not an address'],
  ] as const) {
    assert.throws(() => proxyEnvironment({ https_proxy: value }), { code, message });
  }
});

test("a proxy without a scheme is asked", async () => {
  const seen: string[] = [];
  const proxy = await startServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end("{}");
  });
  const clientWith = async (value: string) =>
    new HttpClient({
      paths: await emptyHost(scratch.path, { http_proxy: value }),
      limits: { retries: 0 },
      isInsecure: () => false,
    });
  const request = { method: "GET", url: new URL("http://registry.invalid/x") } as const;
  const [client, wrong] = [await clientWith(proxy.host), await clientWith("socks5://127.0.0.1:1")];
  try {
    (await client.send(request)).discard();
    assert.deepEqual(seen, ["GET http://registry.invalid/x"]);
    const refusal = { code: "unsupported", message: /^Cannot use proxy "socks5:\/\/127\.0\.0\.1:1" of http_proxy: / };
    await assert.rejects(wrong.send(request), refusal);
  } finally {
    await client.close();
    await wrong.close();
    await proxy.stop();
  }
});
