/** A timestamping service (RFC 3161) on this machine: openssl ts behind HTTP. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface LocalTsa {
  readonly url: string;
  /** The certificate that vouches for its answers, PEM. */
  readonly certificatePath: string;
  /** Changes the next answers; undefined answers truly. */
  answer: ((truth: Buffer, request: Buffer, response: ServerResponse) => Buffer | undefined) | undefined;
  stop(): Promise<void>;
}

/** @param usage the extended key usage of its certificate */
export async function startLocalTsa(directory: string, usage = "critical,timeStamping"): Promise<LocalTsa> {
  mkdirSync(directory);
  const at = (name: string) => join(directory, name);
  writeFileSync(
    at("tsa.cnf"),
    [
      "[req]\ndistinguished_name = name\nprompt = no\nx509_extensions = ext\n[name]\nCN = local TSA",
      `[ext]\nbasicConstraints = critical,CA:false\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = ${usage}`,
      "[tsa]\ndefault_tsa = one",
      `[one]\nserial = ${at("serial")}\ncrypto_device = builtin\nsigner_cert = ${at("tsa.pem")}\nsigner_key = ${at("tsa.key")}`,
      "signer_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1, millisecs:500, microsecs:100",
      "ordering = yes\ntsa_name = yes\ness_cert_id_chain = no\n",
    ].join("\n"),
  );
  const openssl = (...words: string[]) => void execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-sha256",
    "-days",
    "3650",
    "-config",
    at("tsa.cnf"),
    "-keyout",
    at("tsa.key"),
    "-out",
    at("tsa.pem"),
  );
  let answer: LocalTsa["answer"];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const query = Buffer.concat(chunks);
      writeFileSync(at("query.tsq"), query);
      openssl("ts", "-reply", "-config", at("tsa.cnf"), "-queryfile", at("query.tsq"), "-out", at("reply.tsr"));
      const truth = readFileSync(at("reply.tsr"));
      const told = answer === undefined ? truth : answer(truth, query, response);
      if (told === undefined) return;
      response.setHeader("content-type", "application/timestamp-reply");
      response.end(told);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/tsa`,
    certificatePath: at("tsa.pem"),
    get answer() {
      return answer;
    },
    set answer(changed) {
      answer = changed;
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
