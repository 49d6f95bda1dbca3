/** Time stamps (RFC 3161) beside our signatures; judged by osslsigncode and sbverify. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { generateKeys, loadCertificate, openSigner, timestampingSigner } from "../../src/keys/index.ts";
import { verifyPe } from "../../src/pe/index.ts";
import { sbverifyAccepts, systemdFile } from "../pe/boot-files.ts";
import { type LocalTsa, startLocalTsa } from "./local-tsa.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-timestamp-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const program = systemdFile("systemd-bootx64.efi");
let tsa: LocalTsa;

before(async () => {
  await generateKeys(at("keys"), { now: new Date("2026-01-02T03:04:05Z"), commonName: "stamped" });
  tsa = await startLocalTsa(at("tsa"));
});
after(() => tsa.stop());

async function stamp(url: string, said: string[] = []): Promise<Uint8Array> {
  const signer = await openSigner({ directory: at("keys"), secret: { mayAsk: false } });
  return timestampingSigner(signer, url, (text) => said.push(text)).signProgram(program, "the boot loader");
}

async function refusal(url: string): Promise<SealrootError> {
  const error = await stamp(url).then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealrootError, String(error));
  return error;
}

test("a signature with a time stamp is accepted by all, and the stamp by osslsigncode", async () => {
  const said: string[] = [];
  const signed = await stamp(tsa.url, said);
  const [text = ""] = said;
  assert.match(text, /^the boot loader: signed at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z according to http:/);
  assert.equal((await verifyPe(signed, [loadCertificate(at("keys/db.pem"))])).signer.subject, "CN=stamped db");
  writeFileSync(at("stamped.efi"), signed);
  assert.ok(sbverifyAccepts(at("stamped.efi"), at("keys/db.pem")));
  const words = ["verify", "-CAfile", at("keys/db.pem"), "-TSA-CAfile", tsa.certificatePath, "-in", at("stamped.efi")];
  const { status, stdout, stderr } = spawnSync("osslsigncode", words, { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^Timestamp Server Signature verification: ok$/m);
});

test("an answer that is not one to this question is refused", async () => {
  let older: Buffer | undefined;
  const flipped = (truth: Buffer, from: number) => {
    const copy = Buffer.from(truth);
    copy.writeUInt8(copy.readUInt8(copy.length - from) ^ 1, copy.length - from);
    return copy;
  };
  const cases: readonly (readonly [NonNullable<LocalTsa["answer"]>, string, RegExp])[] = [
    [
      (truth) => {
        older = truth;
        return flipped(truth, 20);
      },
      "corrupt",
      /its signature does not match its certificate$/,
    ],
    [() => older, "corrupt", /^Cannot use the time stamp: it answers another request$/],
    // PKIStatusInfo { rejection }
    [() => Buffer.from("30053003020102", "hex"), "failed", /the service refused: status 2$/],
    [() => Buffer.from("3082", "hex"), "corrupt", /^Cannot parse time stamp/],
    [() => Buffer.alloc(0), "corrupt", /^Cannot parse time stamp/],
    [() => Buffer.alloc(1 << 20), "no-network", /the answer exceeds 262144 bytes$/],
    [
      (_truth, _query, response) => {
        response.statusCode = 503;
        return Buffer.from("busy");
      },
      "failed",
      /it answered with status 503$/,
    ],
    [
      (_truth, _query, response) => {
        response.destroy();
        return undefined;
      },
      "no-network",
      /^Cannot get a time stamp from 127\.0\.0\.1:\d+: /,
    ],
  ];
  for (const [answer, code, message] of cases) {
    tsa.answer = answer;
    const error = await refusal(tsa.url);
    assert.match(error.message, message);
    assert.equal(error.code, code, error.message);
  }
  tsa.answer = undefined;
  assert.equal((await refusal("ftp://example.org/")).code, "usage");
  assert.equal((await refusal("nowhere")).code, "usage");
});

test("a time stamp is asked for through the proxy of the environment", async () => {
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const onward = { method: "POST", headers: { "content-type": request.headers["content-type"] ?? "" } };
    request.pipe(httpRequest(tsa.url, onward, (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 0))));
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const { port } = proxy.address() as AddressInfo;
  process.env.http_proxy = `127.0.0.1:${port}`;
  try {
    const signed = await stamp("http://tsa.invalid/stamp");
    assert.equal((await verifyPe(signed, [loadCertificate(at("keys/db.pem"))])).signer.subject, "CN=stamped db");
    assert.deepEqual(asked, ["POST http://tsa.invalid/stamp"]);
    process.env.http_proxy = "socks5://127.0.0.1:1";
    const error = await refusal("http://tsa.invalid/stamp");
    assert.equal(error.code, "unsupported");
    assert.match(error.message, /^Cannot get a time stamp from tsa\.invalid: .*socks5 is not supported$/);
  } finally {
    delete process.env.http_proxy;
    proxy.close();
  }
});
