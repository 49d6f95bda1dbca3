/**
 * `image copy` and `image push`, killed at any moment: nothing half-made has its final name, and the same command again
 * succeeds. At a directory or file the program dies at its n-th change of the file system, at a registry with its n-th
 * request.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../../src/images/index.ts";
import { parseReference } from "../../../src/oci/index.ts";
import { startTool } from "../../../src/platform/index.ts";
import { ACCEPT_ANYTHING } from "../../../src/policy/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { type DockerRegistry, startDockerRegistry } from "../../registry/docker-registry.ts";
import { emptyHost, type HostPaths } from "../../registry/empty-host.ts";
import { filesIn, type MadeImage, makeImage, pulledInto } from "./images.ts";

const MAIN = new URL("../../../src/cli/main.ts", import.meta.url).pathname;
const PRELOAD = new URL("../../repository/faults/preload.ts", import.meta.url).pathname;
/** Every point takes two processes; this variable tries all of them. */
const SAMPLES = process.env.SEALROOT_ALL_FAULTS === undefined ? 4 : Number.POSITIVE_INFINITY;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let image: MadeImage;
let other: MadeImage;
let repository: string;
let paths: HostPaths;
const at = (name: string) => join(scratch.path, name);
before(async () => {
  scratch = await scratchDirectory();
  paths = await emptyHost(scratch.path);
  image = await makeImage(at("source"), { contents: ["one", "two", "three"] });
  other = await makeImage(at("other"), { contents: ["one", "four"], tag: "old" });
  repository = at("repository");
  (await pulledInto(repository, image)).close();
});
after(() => scratch.remove());

type StartedTool = Awaited<ReturnType<typeof startTool>>;

/** What the command line brings to `target`. */
const COMMANDS = {
  copy: (target: string) => ["image", "copy", "--insecure-policy", `oci:${image.layout.directory}:v1`, target],
  push: (target: string) => ["image", "push", "--repo", repository, "image", target],
} as const;

function start(words: readonly string[], env: Record<string, string> = {}): Promise<StartedTool> {
  const environment = { NODE_COMPILE_CACHE: at("compiled"), TMPDIR: scratch.path, ...env };
  return startTool(process.execPath, ["--import", PRELOAD, MAIN, ...words, "--quiet"], { env: environment });
}

/** Waits for the end. @returns true when it was killed */
async function ended(tool: StartedTool): Promise<boolean> {
  let complaint = "";
  tool.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  tool.stdout?.resume();
  const { exitCode, signal } = await tool.exited;
  assert.ok(exitCode === 0 || signal === "SIGKILL", complaint);
  return signal === "SIGKILL";
}

/** The digest of what has the name, every byte of it checked; undefined when there is nothing. */
async function digestAt(target: string): Promise<string | undefined> {
  const options = { policy: ACCEPT_ANYTHING, registry: { paths } };
  try {
    const opened = await openImage(parseReference(target), options);
    try {
      for (const layer of opened.manifest.layers) for await (const _ of opened.blobs.read(layer));
      return opened.descriptor.digest;
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "not-found") return undefined;
    throw error;
  }
}

function pointsUpTo(count: number): number[] {
  const step = Math.max(1, Math.floor(count / SAMPLES));
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => 1 + index * step);
}

const PLACES: readonly (readonly [keyof typeof COMMANDS, string, (directory: string) => string])[] = [
  ["copy", "a new layout", (directory) => `oci:${directory}/layout:v1`],
  ["copy", "a layout with another image", (directory) => `oci:${directory}/old:v1`],
  ["copy", "an archive", (directory) => `oci-archive:${directory}/image.tar:v1`],
  ["copy", "a directory", (directory) => `dir:${directory}/image`],
  ["push", "a new layout", (directory) => `oci:${directory}/layout:v1`],
  ["push", "an archive", (directory) => `oci-archive:${directory}/image.tar:v1`],
];

for (const [verb, place, targetIn] of PLACES) {
  test(`image ${verb} to ${place}, killed at any change of the file system`, async (context) => {
    const fresh = (name: string) => {
      const directory = at(`${verb} ${place} ${name}`.replaceAll(" ", "-"));
      mkdirSync(directory);
      cpSync(other.layout.directory, join(directory, "old"), { recursive: true });
      return directory;
    };
    const whole = fresh("whole");
    const trace = at("trace");
    await ended(await start(COMMANDS[verb](targetIn(whole)), { SEALROOT_TRACE: trace }));
    const calls = readFileSync(trace, "utf8").trimEnd().split("\n");
    rmSync(trace);
    const expected = await filesIn(whole);
    let kills = 0;
    for (const point of pointsUpTo(calls.length)) {
      const directory = fresh(String(point));
      const target = targetIn(directory);
      const where = `killed at call ${point}, ${calls[point - 1]}`;
      if (await ended(await start(COMMANDS[verb](target), { SEALROOT_KILL_AT: String(point) }))) kills++;
      const found = await digestAt(target);
      assert.ok(found === undefined || found === image.descriptor.digest, where);
      assert.equal(await digestAt(`oci:${directory}/old:old`), other.descriptor.digest, where);
      await ended(await start(COMMANDS[verb](target)));
      assert.equal(await digestAt(target), image.descriptor.digest, where);
      // What the killed run left is gone, too.
      const files = await filesIn(directory);
      assert.deepEqual([...files.keys()].sort(), [...expected.keys()].sort(), where);
      for (const [path, bytes] of expected) assert.ok(files.get(path)?.equals(bytes), `${where}: ${path}`);
      rmSync(directory, { recursive: true });
    }
    assert.ok(kills > 0);
    context.diagnostic(`${calls.length} points, ${kills} killed and recovered from`);
  });
}

/** A proxy for a registry: calls `onRequest` with the number of each request before it is passed on. */
async function startProxy(registry: DockerRegistry, onRequest: (number: number) => void) {
  let requests = 0;
  const server = createServer((incoming, outgoing) => {
    onRequest(++requests);
    const [hostname = "", port = ""] = registry.host.split(":");
    const { method, url: path, headers } = incoming;
    const onward = httpRequest({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => requests, stop };
}

for (const verb of ["copy", "push"] as const) {
  test(`image ${verb} to a registry, killed with any request`, async (context) => {
    const registry = await startDockerRegistry();
    try {
      const attempt = async (name: string, killAt: number) => {
        let tool: StartedTool | undefined;
        const proxy = await startProxy(registry, (number) => {
          if (number === killAt) tool?.kill("SIGKILL");
        });
        tool = await start(COMMANDS[verb](`docker://${proxy.host}/${name}:v1`));
        const killed = await ended(tool);
        await proxy.stop();
        return { killed, requests: proxy.count() };
      };
      const { requests } = await attempt("whole", 0);
      let kills = 0;
      for (const point of pointsUpTo(requests)) {
        const target = `docker://${registry.host}/point-${point}:v1`;
        if ((await attempt(`point-${point}`, point)).killed) kills++;
        const found = await digestAt(target);
        assert.ok(found === undefined || found === image.descriptor.digest, `killed at request ${point}`);
        await attempt(`point-${point}`, 0);
        assert.equal(await digestAt(target), image.descriptor.digest, `killed at request ${point}`);
      }
      assert.ok(kills > 0);
      context.diagnostic(`${requests} requests, ${kills} killed and recovered from`);
    } finally {
      await registry.stop();
    }
  });
}
