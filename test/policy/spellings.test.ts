/** One image, spelled in fifty ways: a policy gives one verdict, as its scopes are made of what was opened and found. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, realpathSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { copyImage, openImage } from "../../src/images/index.ts";
import { openSource } from "../../src/images/sources/open-source.ts";
import { nameOfReference, OciLayout, parseReference, readManifest } from "../../src/oci/index.ts";
import { parsePolicy } from "../../src/policy/index.ts";
import { requirementsFor } from "../../src/policy/scopes.ts";
import * as stores from "../images/podman/stores.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { startMisbehavingRegistry } from "../registry/misbehaving-registry.ts";
import { openFixture } from "./fixture.ts";

const SPELLINGS = 50;
const ACCEPT = [{ type: "insecureAcceptAnything" }];
const REJECT = [{ type: "reject" }];

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let root: string;
/** A layout with one image, `v`. */
let layout: string;
let variables: NodeJS.ProcessEnv;
before(async () => {
  assert.equal(process.getuid?.(), 0, "the stores have devices and owners: run these tests as root");
  variables = { ...process.env };
  scratch = await scratchDirectory();
  root = realpathSync(scratch.path);
  layout = join(root, "images/layout");
  mkdirSync(dirname(layout), { recursive: true });
  const { directory } = await openFixture(scratch.path);
  const source = parseReference(`oci:${directory}:v`);
  for (const target of [`oci:${layout}:v`, `dir:${root}/images/dir`, `oci-archive:${root}/images/archive:v`]) {
    await copyImage(source, parseReference(target), { policy: "accept-anything" });
  }
  symlinkSync("images", join(root, "link"));
  symlinkSync(join(root, "link"), join(root, "images/again"));
});
after(async () => {
  process.env = variables;
  await scratch.remove();
});

let policies = 0;

/** `accepted`, or `rejected` by the policy; everything else is an error of the test. */
async function verdictOf(reference: string, policy: object): Promise<string> {
  const path = join(root, `policy-${policies++}.json`);
  writeFileSync(path, JSON.stringify(policy));
  try {
    await (await openImage(parseReference(reference), { policy: { path } })).close();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof SealrootError && error.code === "untrusted", `${reference}: ${error}`);
    assert.match(error.message, /: Running image is rejected by policy$/);
    return "rejected";
  }
}

/** A rule for this scope alone must hold for every spelling, whether it rejects or accepts. */
async function requireOneVerdict(transport: string, scope: string, references: readonly string[]): Promise<void> {
  for (const reference of references) {
    const [rejecting, accepting] = [
      { default: ACCEPT, transports: { [transport]: { [scope]: REJECT } } },
      { default: REJECT, transports: { [transport]: { [scope]: ACCEPT } } },
    ];
    assert.equal(await verdictOf(reference, rejecting), "rejected", `${reference} under ${scope}`);
    assert.equal(await verdictOf(reference, accepting), "accepted", `${reference} under ${scope}`);
  }
}

/** A path that leads to the same place as `path`, absolute or not, over links, dots and slashes too many. */
function spelledPath(path: string): fc.Arbitrary<string> {
  const name = path.slice(`${root}/images/`.length);
  const start = fc.constantFrom(root, relative(process.cwd(), root), `/proc/self/root${root}`);
  const middle = fc.constantFrom("images", "link", "images/again", "link/again", "link/again/again", "images/../link");
  const slashes = fc.constantFrom("/", "//", "/./", "/././/", "/images/../");
  return fc
    .tuple(start, slashes, middle, fc.constantFrom("/", "//", "/./"))
    .map(([from, first, inside, second]) => `${from}${first}${inside}${second}${name}`);
}

for (const [transport, name, tag] of [
  ["oci", "layout", ":v"],
  ["oci", "layout", ""],
  ["oci", "layout/", ":v"],
  ["oci", "layout/.", ":v"],
  ["dir", "dir", ""],
  ["dir", "dir/", ""],
  ["oci-archive", "archive", ":v"],
  ["oci-archive", "archive", ""],
] as const) {
  test(`${transport}:…/${name}${tag}: the path is the one that was opened, for rules about it and above it`, async () => {
    const spelled = fc.sample(spelledPath(join(root, "images", name) + name.replace(/^[a-z]+/, "")), SPELLINGS / 5);
    const references = spelled.map((path) => `${transport}:${path}${tag}`);
    const real = join(root, "images", name.replace(/\W.*$/, ""));
    for (const scope of [real, dirname(real), root]) await requireOneVerdict(transport, scope, references);
    // A rule about a path over a link means the place the link leads to.
    const overLink = join(root, "link", name.replace(/\W.*$/, ""));
    await requireOneVerdict(transport, overLink, references.slice(0, 3));
  });
}

test("what was opened stays what is judged and read, whatever its name leads to afterwards", async () => {
  const elsewhere = join(root, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "nothing"), "");
  for (const [transport, name] of [
    ["oci", "layout"],
    ["dir", "dir"],
    ["oci-archive", "archive"],
  ] as const) {
    const link = join(root, `now-${transport}`);
    symlinkSync(join(root, "images", name), link);
    const source = await openSource(parseReference(`${transport}:${link}`));
    try {
      unlinkSync(link);
      symlinkSync(transport === "oci-archive" ? join(elsewhere, "nothing") : elsewhere, link);
      assert.deepEqual(source.place, { transport, path: join(root, "images", name) });
      const [entry] = source.index.manifests;
      assert.ok(entry);
      const { config } = readManifest(await source.readManifest(entry), "manifest");
      await source.blobs.readWhole(config);
    } finally {
      await source.close();
    }
  }
});

/** Spellings of one store and of one image in it. */
function storeSpellings(store: string): string[] {
  const [run, name, parent] = [`${store}-run`, store.slice(store.lastIndexOf("/") + 1), dirname(store)];
  const link = `${store}-link`;
  const other = `${store}-other`;
  mkdirSync(join(other, "overlay-images"), { recursive: true });
  symlinkSync(store, link);
  const places = [
    `overlay@${store}+${run}`,
    `${store}+${run}`,
    store,
    `overlay@${store}`,
    `overlay2@${store}`,
    `@${store}`,
    `overlay@${store}/+${run}`,
    `overlay@${parent}/./${name}`,
    `${parent}//${name}//`,
    `${store}/../${name}`,
    `overlay@${link}+${run}`,
    `${link}/`,
    `overlay@${store}:overlay.mountopt=nodev`,
    `overlay@${store}+${run}:overlay.mountopt=nodev,overlay.ignore_chown_errors=true`,
    `overlay@${other}:overlay.imagestore=${store}`,
    `overlay@${other}:additionalimagestore=${link}/`,
  ];
  const { IMAGE_ID: id, NAME: full } = stores;
  const images = [
    full,
    id,
    `sha256:${id}`,
    id.slice(0, 12),
    `@${id}`,
    `@${id.slice(0, 7)}`,
    `${full}@${id}`,
    `${full}@${id.slice(0, 20)}`,
    `registry.example.com/t/store@${stores.MANIFEST}`,
  ];
  const all = places.flatMap((place) => images.map((image) => `containers-storage:[${place}]${image}`));
  // Every place and every image at least once, and as many others as make fifty.
  const chosen = new Set([
    ...places.map((place) => `containers-storage:[${place}]${full}`),
    ...images.map((image) => `containers-storage:[${store}]${image}`),
    ...fc.sample(fc.constantFrom(...all), SPELLINGS),
  ]);
  return [...chosen].slice(0, SPELLINGS);
}

test("containers-storage: fifty spellings of store and image meet the rules about either", async () => {
  const store = realpathSync(stores.unpackStore(root, "full"));
  const spellings = storeSpellings(store);
  assert.equal(spellings.length, SPELLINGS);
  const { IMAGE_ID: id, NAME: full } = stores;
  const inStore = `[overlay@${store}]`;
  const scopes = [
    inStore,
    `[${store}]`,
    `${inStore}${full}`,
    `${inStore}registry.example.com/t`,
    `${inStore}registry.example.com`,
    `${inStore}@${id}`,
    `${inStore}${full}@${id}`,
    `${inStore}registry.example.com/t/store@${stores.MANIFEST}`,
    `[overlay@${store}-link]`,
  ];
  for (const scope of scopes) await requireOneVerdict("containers-storage", scope, spellings);
});

test("containers-storage: without brackets it is the store that storage.conf or the environment names", async () => {
  const store = realpathSync(stores.unpackStore(root, "full"));
  const other = join(root, "empty-store");
  symlinkSync(store, `${store}-link`);
  mkdirSync(join(other, "overlay-images"), { recursive: true });
  const conf = (text: string) => {
    const path = join(root, `storage-${policies++}.conf`);
    writeFileSync(path, text);
    return path;
  };
  const configurations: readonly NodeJS.ProcessEnv[] = [
    { CONTAINERS_STORAGE_CONF: conf(`[storage]\ndriver = "overlay"\ngraphroot = "${store}"\n`) },
    { CONTAINERS_STORAGE_CONF: conf(`[storage]\ndriver = "overlay"\ngraphroot = "${store}-link/"\n`) },
    { CONTAINERS_STORAGE_CONF: conf(`[storage]\ngraphroot = "${store}/../${store.replace(/.*\//, "")}"\n`) },
    {
      CONTAINERS_STORAGE_CONF: conf(
        `[storage]\ngraphroot = "${other}"\n[storage.options]\nadditionalimagestores = ["${store}"]\n`,
      ),
    },
    { CONTAINERS_STORAGE_CONF: conf(`[storage]\ngraphroot = "${other}"\nimagestore = "${store}"\n`) },
    { CONTAINERS_STORAGE_CONF: conf(""), CONTAINERS_STORAGE_ROOT: store },
  ];
  const references = [stores.NAME, stores.IMAGE_ID, stores.IMAGE_ID.slice(0, 12)].map((i) => `containers-storage:${i}`);
  try {
    for (const configuration of configurations) {
      Object.assign(process.env, configuration);
      for (const scope of [
        `[overlay@${store}]`,
        `[overlay@${store}]${stores.NAME}`,
        `[overlay@${store}]@${stores.IMAGE_ID}`,
      ]) {
        await requireOneVerdict("containers-storage", scope, references);
      }
      delete process.env.CONTAINERS_STORAGE_ROOT;
    }
  } finally {
    delete process.env.CONTAINERS_STORAGE_CONF;
    delete process.env.CONTAINERS_STORAGE_ROOT;
  }
});

test("containers-storage: skopeo's verdict is ours wherever it rejects", async () => {
  const store = realpathSync(stores.unpackStore(root, "full"));
  try {
    for (const [image, scope] of [
      [stores.NAME, `[overlay@${store}]`],
      [stores.NAME, `[${store}]`],
      [stores.NAME, `[overlay@${store}]${stores.NAME}@${stores.IMAGE_ID}`],
      [stores.NAME, `[overlay@${store}]registry.example.com/t`],
      [stores.IMAGE_ID.slice(0, 12), `[overlay@${store}]@${stores.IMAGE_ID}`],
    ] as const) {
      const reference = stores.referenceTo(store, image);
      const policy = join(root, "policy.json");
      writeFileSync(
        policy,
        JSON.stringify({ default: ACCEPT, transports: { "containers-storage": { [scope]: REJECT } } }),
      );
      const words = ["--policy", policy, "copy", "--quiet", reference, `dir:${join(root, "copy")}`];
      assert.throws(() => execFileSync("skopeo", words, { stdio: "pipe" }), /rejected by policy/, scope);
      await requireOneVerdict("containers-storage", scope, [reference]);
    }
  } finally {
    stores.unmountBelow(store);
  }
});

/** The host in upper and lower letters at random, with the port that it has anyway or without. */
function spelledHost(host: string): fc.Arbitrary<string> {
  const letters = [...host].map((letter) => fc.constantFrom(letter, letter.toUpperCase()));
  return fc
    .tuple(fc.tuple(...letters), fc.constantFrom("", ":443", ":0443"))
    .map(([parts, port]) => parts.join("") + port);
}

test("docker: a host is one, however its letters and its port are written, and Docker Hub has three names", () => {
  const scopes: readonly (readonly [string, fc.Arbitrary<string>])[] = [
    ["quay.io", spelledHost("quay.io").map((host) => `${host}/org/app`)],
    ["quay.io:443", spelledHost("quay.io").map((host) => `${host}/org/app:latest`)],
    ["QUAY.io/org/app:latest", spelledHost("quay.io").map((host) => `${host}/org/app`)],
    ["*.example.com", spelledHost("a.b.example.com").map((host) => `${host}/org/app:x`)],
    [
      "docker.io/library/debian",
      fc
        .tuple(fc.constantFrom("docker.io", "index.docker.io", "registry-1.docker.io"), fc.constantFrom("", "library/"))
        .chain(([hub, library]) => spelledHost(hub).map((host) => `${host}/${library}debian`)),
    ],
    ["127.0.0.1:5000/x", fc.constantFrom("127.0.0.1:5000/x", "127.1:5000/x", "0x7f.0.0.1:5000/x", "127.0.0.1:05000/x")],
    ["[::1]:5000", fc.constantFrom("[::1]:5000/x", "[0:0::1]:5000/x", "[0:0:0:0:0:0:0:1]:05000/x")],
  ];
  for (const [scope, names] of scopes) {
    const policy = parsePolicy(
      Buffer.from(JSON.stringify({ default: ACCEPT, transports: { docker: { [scope]: REJECT } } })),
      "policy.json",
    );
    const property = (name: string) => {
      const reference = parseReference(`docker://${name}`);
      assert.ok(reference.transport === "docker");
      const [found] = requirementsFor(policy, { transport: "docker", name: nameOfReference(reference) }, []);
      assert.equal(found?.scope, `docker ${JSON.stringify(scope)}`, name);
    };
    fc.assert(fc.property(names, property), { numRuns: SPELLINGS });
  }
});

test("docker: a rule about a digest holds for the image that a tag leads to", async () => {
  const served = await OciLayout.open(layout);
  const registry = await startMisbehavingRegistry(served);
  try {
    const [{ digest = "" } = {}] = (await served.readIndex()).manifests;
    const name = `${registry.host}/image`;
    const references = [`docker://${name}:t`, `docker://${name}@${digest}`, `docker://${name}:t@${digest}`];
    for (const scope of [`${name}@${digest}`, name, registry.host])
      await requireOneVerdict("docker", scope, references);
  } finally {
    await registry.stop();
  }
});
