/** The real things the tests of `pe`, `cms`, `efi` and `keys` stand on: systemd's EFI programs, sbsigntool, openssl. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SYSTEMD_EFI_DIRECTORY = "/usr/lib/systemd/boot/efi";

/** A file of the Debian package systemd-boot-efi. */
export function systemdFile(name: "linuxx64.efi.stub" | "systemd-bootx64.efi"): Buffer {
  const path = join(SYSTEMD_EFI_DIRECTORY, name);
  if (!existsSync(path)) throw new Error(`${path} is missing: apt-get install systemd-boot-efi`);
  return readFileSync(path);
}

export class TestDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sealroot-test-"));

  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Runs a program that must succeed; returns its standard output. */
export function run(program: string, args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync(program, [...args], {
    stdio: ["pipe", "pipe", "pipe"],
    ...(input === undefined ? {} : { input }),
  });
}

/** Whether sbverify accepts the image with this certificate (PEM). */
export function sbverifyAccepts(imagePath: string, certificatePath: string): boolean {
  const result = spawnSync("sbverify", ["--cert", certificatePath, imagePath], { encoding: "utf8" });
  if (result.error !== undefined) throw new Error("sbverify is missing: apt-get install sbsigntool");
  return result.status === 0;
}

export interface TestKey {
  readonly keyPath: string;
  readonly certificatePath: string;
}

/** A key with certificate made by openssl; self-signed, or issued by `issuer`. */
export function opensslKey(
  directory: TestDirectory,
  name: string,
  options: {
    readonly issuer?: TestKey;
    readonly isAuthority?: boolean;
    readonly days?: number;
    readonly key?: string;
  } = {},
): TestKey {
  const keyPath = directory.file(`${name}.key`);
  const certificatePath = directory.file(`${name}.pem`);
  run("openssl", [
    ...["req", "-new", "-x509", "-newkey", options.key ?? "rsa:2048", "-nodes", "-sha256"],
    ...(options.key === "ec" ? ["-pkeyopt", "ec_paramgen_curve:P-256"] : []),
    ...["-days", String(options.days ?? 30), "-subj", `/CN=${name}`, "-keyout", keyPath, "-out", certificatePath],
    ...["-addext", `basicConstraints=critical,CA:${options.isAuthority === true ? "TRUE" : "FALSE"}`],
    ...(options.issuer === undefined ? [] : ["-CA", options.issuer.certificatePath, "-CAkey", options.issuer.keyPath]),
  ]);
  return { keyPath, certificatePath };
}
