/** `upgrade --from-delta`: the same deployment as from a registry, made of a delta and what the host has; hostile ones leave nothing. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { SealrootError } from "../../src/errors/index.ts";
import { silent } from "../../src/events/index.ts";
import { readHost } from "../../src/host/index.ts";
import type { PolicyChoice } from "../../src/policy/index.ts";
import {
  finalizeStaged,
  openUpdate,
  planFetched,
  planFromRegistry,
  updateHost,
  upgradeTarget,
} from "../../src/update/index.ts";
import { type DeltaOptions, type DeltaParts, makeDelta, packed, readLayout } from "../delta/artifact.ts";
import { copy, emit, open, tarDiff } from "../delta/encoder.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import type { ImageFile } from "../install/sealed-image.ts";
import { newKeys, payloadOf, signedWith, writePublicKey } from "../policy/fixture.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const NAME = "quay.io/example/os";
const FOLLOWED = `docker://${NAME}:1`;
const NEW_FILES: readonly ImageFile[] = [
  { path: "usr/bin/tool", content: Buffer.concat([Buffer.alloc(200_000, "tool"), Buffer.alloc(120_000, "newer")]) },
  { path: "usr/bin/new", content: "n".repeat(200) },
];
const layoutOf = (reference: string) => reference.slice("oci:".length, -":latest".length);
const ACCEPT: PolicyChoice = "accept-anything";

class System implements Disposable {
  readonly host: FixtureHost;
  readonly booted: string;
  readonly oldLayout: string;
  readonly newReference: string;
  readonly newId: string;
  readonly etcPath: string;
  #deltas = 0;

  private constructor(host: FixtureHost, booted: string, next: { reference: string; deploymentId: string }) {
    this.host = host;
    this.booted = booted;
    this.oldLayout = join(host.path, "image-1/layout");
    this.newReference = next.reference;
    this.newId = next.deploymentId;
    this.etcPath = join(host.path, "etc");
  }

  static async make(): Promise<System> {
    const host = await FixtureHost.make();
    const booted = await host.add({ imageReference: FOLLOWED });
    const system = new System(host, booted, await host.image({ files: NEW_FILES }));
    await host.fillEtc(booted, system.etcPath);
    return system;
  }

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
  }

  delta(options: DeltaOptions = {}): string {
    const directory = join(this.host.path, `delta-${++this.#deltas}`);
    return makeDelta(this.oldLayout, layoutOf(this.newReference), directory, options);
  }

  async open(choice: { delta?: string; source?: string }, policy: PolicyChoice = ACCEPT) {
    const places = this.host.places(this.booted);
    const host = await readHost(places);
    const opened = await openUpdate(places, host, upgradeTarget(host, choice), { policy, events: silent });
    return { places, host, opened };
  }

  async upgrade(choice: { delta?: string; source?: string }, policy?: PolicyChoice) {
    const { places, host, opened } = await this.open(choice, policy);
    await using update = opened;
    // Awaited: at the end the delta is closed.
    return await updateHost(places, host, update, { ...PLAIN_UPDATE, etcPath: this.etcPath, events: silent });
  }

  /** Names of everything in the repository. */
  get repository(): string[] {
    return readdirSync(join(this.host.physicalRoot, "composefs"), { recursive: true, encoding: "utf8" }).sort();
  }
}

test("a delta leads to the deployment, the objects and the streams that the image itself does", async () => {
  using system = await System.make();
  using other = await System.make();
  const path = packed(system.delta({ original: new Set([1]) }));
  const outcome = await system.upgrade({ delta: path });
  const { manifestDigest } = readLayout(layoutOf(system.newReference));
  assert.deepEqual(outcome, {
    ...{ result: "staged", standing: "new", deploymentId: system.newId, manifestDigest, followsNewReference: false },
  });
  const whole = await other.upgrade({ source: other.newReference });
  assert.deepEqual([whole.deploymentId, whole.manifestDigest], [outcome.deploymentId, outcome.manifestDigest]);
  assert.deepEqual(system.repository, other.repository);
  const end = { etcPath: system.etcPath, events: silent };
  assert.deepEqual(await finalizeStaged(system.host.places(system.booted), end), {
    ...{ kind: "finalized", deploymentId: system.newId },
  });
  const read = await readHost(system.host.places(system.newId));
  assert.deepEqual([read.problems, read.booted?.origin.imageReference], [[], FOLLOWED]);
  // Once it is there, a delta to it changes nothing.
  const { opened } = await system.open({ delta: path });
  await opened[Symbol.asyncDispose]();
  assert.equal(opened.standing, "rollback");
});

test("its plan fetches nothing and is the plan of the image", async () => {
  using system = await System.make();
  const { places, host, opened } = await system.open({ delta: system.delta() });
  await using update = opened;
  const options = { ...PLAIN_UPDATE, etcPath: system.etcPath, events: silent };
  const before = system.repository;
  const plan = await planFromRegistry(places, host, update, options);
  assert.deepEqual([plan.fetch.bytes, plan.standing, system.repository], [0, "new", before]);
  const exact = await planFetched(places, host, update, options);
  assert.equal("unknown" in exact.garbage, false);
});

test("the policy is that of the name that is followed; a signature inside the delta counts", async () => {
  using system = await System.make();
  const { privateKey, publicKey } = newKeys();
  const keyPath = writePublicKey(system.host.path, "own.pub", publicKey);
  const signedIdentity = { type: "exactRepository", dockerRepository: NAME };
  const path = join(system.host.path, "policy.json");
  const rule = { type: "sigstoreSigned", keyPath, signedIdentity };
  writeFileSync(path, JSON.stringify({ default: [{ type: "reject" }], transports: { docker: { [NAME]: [rule] } } }));
  await assert.rejects(system.upgrade({ delta: system.delta() }, { path }), { code: "untrusted" });
  // Nor is an image without signature one because it comes from elsewhere.
  const lenient = join(system.host.path, "lenient.json");
  const accept = [{ type: "insecureAcceptAnything" }];
  writeFileSync(lenient, JSON.stringify({ default: accept, transports: { docker: { [NAME]: [rule] } } }));
  for (const choice of [{ delta: system.delta() }, { source: system.newReference }]) {
    await assert.rejects(system.upgrade(choice, { path: lenient }), { code: "untrusted" });
  }
  const { manifestDigest } = readLayout(layoutOf(system.newReference));
  const signed = (digest: string) =>
    system.delta({
      changeParts: (parts, store) => {
        const payload = payloadOf(digest, NAME);
        const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
        const layer = store.put(payload, simpleSigning, signedWith(privateKey, payload));
        const config = store.put(Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
        const document = {
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          config,
          layers: [layer],
        };
        const signature = store.put(Buffer.from(JSON.stringify(document)), document.mediaType, {
          "io.github.containers.delta.content": "cosign-signature",
        });
        return { ...parts, layers: [...parts.layers, signature] };
      },
    });
  await assert.rejects(system.upgrade({ delta: signed(`sha256:${"0".repeat(64)}`) }, { path }), { code: "untrusted" });
  assert.equal((await system.upgrade({ delta: signed(manifestDigest) }, { path })).result, "staged");
});

const CONTENT = "io.github.containers.delta.content";
const without = (content: string) => (parts: DeltaParts) => ({
  ...parts,
  layers: parts.layers.filter(({ annotations }) => annotations?.[CONTENT] !== content),
});
const twice = (content: string) => (parts: DeltaParts) => ({
  ...parts,
  layers: [...parts.layers, ...parts.layers.filter(({ annotations }) => annotations?.[CONTENT] === content)],
});
const annotated = (name: string, value: string) => (parts: DeltaParts) => ({
  ...parts,
  annotations: { ...parts.annotations, [`io.github.containers.delta.${name}`]: value },
});
const withDiff = (diff: Buffer) => ({ changeDiff: () => diff });

const REFUSED: readonly [string, DeltaOptions, string, RegExp][] = [
  [
    "another artifact",
    { changeParts: (parts) => ({ ...parts, artifactType: "x/y" }) },
    "usage",
    /as a delta: it is not one$/,
  ],
  ["no manifest", { changeParts: without("image-manifest") }, "corrupt", /it has 0 parts "image-manifest"$/],
  ["two manifests", { changeParts: twice("image-manifest") }, "corrupt", /it has 2 parts "image-manifest"$/],
  ["no configuration", { changeParts: without("image-config") }, "corrupt", /it has 0 parts "image-config"$/],
  ["a layer twice", { changeParts: twice("image-layer") }, "corrupt", /two parts make the layer sha256:/],
  ["no source", { changeParts: annotated("source-config", "x") }, "corrupt", /it does not say what it starts from$/],
  [
    "an image that is not here",
    { changeParts: annotated("source-config", `sha256:${"1".repeat(64)}`) },
    "not-found",
    /it starts from an image that this host does not have$/,
  ],
  [
    "a layer that is not here",
    { changeParts: without("image-layer") },
    "not-found",
    /it is neither in the delta nor on this host$/,
  ],
  ["no tar-diff", withDiff(Buffer.from("tardf1\n\0nothing")), "corrupt", /Cannot decompress zstd data/],
  ["another content", withDiff(tarDiff([emit(Buffer.alloc(1024))])), "corrupt", /digest/],
  [
    "a file of the host",
    withDiff(tarDiff([open("/../../etc/shadow"), copy(1)])),
    "corrupt",
    /leads outside the image$/,
  ],
  [
    "a file that the image lacks",
    withDiff(tarDiff([open("etc/passwd"), copy(1)])),
    "corrupt",
    /its source has no file "?etc\/passwd"?$/,
  ],
  [
    "a link of the image",
    withDiff(tarDiff([open("etc/link"), copy(1)])),
    "corrupt",
    /its source has no file "?etc\/link"?$/,
  ],
  ["a directory", withDiff(tarDiff([open("etc"), copy(1)])), "corrupt", /its source has no file "?etc"?$/],
  [
    "the length of a file exceeded",
    withDiff(tarDiff([open("usr/bin/tool"), copy(2 ** 40)])),
    "corrupt",
    /in a file of 300000 bytes$/,
  ],
  [
    "a bomb",
    withDiff(
      Buffer.concat([
        Buffer.from("tardf1\n\0"),
        zstdCompressSync(Buffer.concat([Buffer.from([0, 0x80, 0x80, 0x80, 0x80, 0x10])])),
      ]),
    ),
    "corrupt",
    /ends in the middle/,
  ],
];

test("hostile deltas: refused with the reason, and nothing is staged", async (t) => {
  using system = await System.make();
  for (const [name, options, code, message] of REFUSED) {
    await t.test(name, async () => {
      const path = system.delta(options);
      await assert.rejects(system.upgrade({ delta: path }), (error) => {
        assert.ok(error instanceof SealrootError, String(error));
        assert.equal(error.code, code, error.message);
        assert.match(error.message, message);
        return true;
      });
      const read = await readHost(system.host.places(system.booted));
      assert.deepEqual([read.staged, read.problems], [undefined, []]);
    });
  }
  // What was refused is no obstacle.
  assert.equal((await system.upgrade({ delta: system.delta() })).result, "staged");
});

test("what is no file, no archive, or an image", async () => {
  using system = await System.make();
  const file = join(system.host.path, "file");
  await assert.rejects(system.upgrade({ delta: file }), { code: "not-found" });
  writeFileSync(file, "no archive");
  await assert.rejects(system.upgrade({ delta: file }), (error) => error instanceof SealrootError);
  mkdirSync(join(system.host.path, "empty"));
  await assert.rejects(
    system.upgrade({ delta: join(system.host.path, "empty") }),
    (error) => error instanceof SealrootError,
  );
  const image = layoutOf(system.newReference);
  await assert.rejects(system.upgrade({ delta: image }), {
    code: "usage",
    message: `Cannot use ${image} as a delta: it is not one`,
  });
});
