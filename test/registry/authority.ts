/** A certificate authority for one test, made with openssl. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export interface Authority {
  /** As in certs.d: `ca.crt`, and what is issued into it. */
  readonly certificateDirectory: string;
  /**
   * Issues a certificate for `subjectAltName`, such as `DNS:localhost`; the files are NAME.cert and NAME.key.
   * @returns their paths
   */
  issue(directory: string, name: string, subjectAltName: string): Promise<{ certificate: string; key: string }>;
}

/** Makes an authority in `directory`, its certificate in a directory of its own. */
export async function makeAuthority(directory: string): Promise<Authority> {
  const certificateDirectory = join(directory, "certs");
  await mkdir(certificateDirectory, { recursive: true });
  const authority = join(certificateDirectory, "ca.crt");
  const authorityKey = join(directory, "ca.key");
  await run("openssl", [
    ...["req", "-x509", ...NEW_KEY, "-keyout", authorityKey, "-out", authority],
    ...["-subj", "/CN=sealroot test authority", "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE"],
  ]);
  const issue: Authority["issue"] = async (place, name, subjectAltName) => {
    const at = (suffix: string) => join(place, `${name}.${suffix}`);
    const [certificate, key] = [at("cert"), at("key")];
    const [request, extensions] = [join(directory, `${name}.csr`), join(directory, `${name}.cnf`)];
    await run("openssl", ["req", ...NEW_KEY, "-keyout", key, "-out", request, "-subj", `/CN=${name}`]);
    await writeFile(extensions, `subjectAltName=${subjectAltName}\n`);
    await run("openssl", [
      ...["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authorityKey, "-CAcreateserial"],
      ...["-out", certificate, "-days", "3650", "-extfile", extensions],
    ]);
    return { certificate, key };
  };
  return { certificateDirectory, issue };
}
