/** Debian's docker-registry on a port of its own, and skopeo to fill it. */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { makeAuthority } from "./authority.ts";

const run = promisify(execFile);

export interface DockerRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Its storage and configuration; also room for the test's own files. */
  readonly directory: string;
  stop(): Promise<void>;
}

export interface DockerRegistryOptions {
  /** Serve HTTPS with a certificate for 127.0.0.1, signed by an authority made for this purpose. */
  readonly tls?: boolean;
  /** Demand this user and password of everybody. */
  readonly login?: { readonly userName: string; readonly password: string };
}

/** Where the authority's certificate is put, as a certs.d directory would have it. */
export const CERTIFICATE_DIRECTORY = "certs";

/** Starts a registry and waits until it answers. Needs the Debian packages docker-registry, openssl, apache2-utils. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const directory = await mkdtemp(join(tmpdir(), "sealroot-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const environment: Record<string, string> = {
    REGISTRY_HTTP_ADDR: host,
    REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: join(directory, "storage"),
    REGISTRY_STORAGE_DELETE_ENABLED: "true",
    REGISTRY_LOG_LEVEL: "error",
  };
  if (options.tls === true) {
    const authority = await makeAuthority(directory);
    const server = await authority.issue(directory, "server", "IP:127.0.0.1,DNS:localhost");
    environment.REGISTRY_HTTP_TLS_CERTIFICATE = server.certificate;
    environment.REGISTRY_HTTP_TLS_KEY = server.key;
  }
  if (options.login !== undefined) {
    const { userName, password } = options.login;
    const { stdout } = await run("htpasswd", ["-Bbn", userName, password]);
    await writeFile(join(directory, "htpasswd"), stdout);
    environment.REGISTRY_AUTH_HTPASSWD_REALM = "test realm, with a comma";
    environment.REGISTRY_AUTH_HTPASSWD_PATH = join(directory, "htpasswd");
  }
  const configuration = join(directory, "config.yml");
  await writeFile(configuration, "version: 0.1\nstorage:\n  filesystem: {}\nhttp: {}\n");
  const child = spawn("docker-registry", ["serve", configuration], {
    env: { ...process.env, ...environment },
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async () => {
    // Of a child that never started the number is 0, by which kill(2) means everybody in our process group.
    if (child.pid !== undefined) child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  child.once("error", () => {});
  await waitForPort(host, () => child.exitCode !== null || child.pid === undefined).catch(async (error) => {
    await stop();
    throw error;
  });
  return { host, directory, stop };
}

/** Copies an image with skopeo, whose references ours are; quiet, and without the machine's policy. */
export async function skopeoCopy(source: string, target: string, words: readonly string[] = []): Promise<void> {
  await run("skopeo", ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", ...words, source, target]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function waitForPort(host: string, hasEnded: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600 && !hasEnded(); tries++) {
    // Whatever answers, by whichever protocol, it is there.
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(100);
  }
  throw new Error(`docker-registry does not answer at ${host}: is the Debian package docker-registry installed?`);
}
