/** Stores that were damaged or tampered with: each layer is refused, naming the file, and nothing gets a name. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Crc64 } from "../../../src/chunked/index.ts";
import { layerStreamName, pullImage } from "../../../src/imagestore/index.ts";
import { initRepository } from "../../../src/repository/index.ts";
import { outOfLayer } from "../../imagestore/layer-prefix.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import * as stores from "./stores.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  assert.equal(process.getuid?.(), 0, "the stores have devices and owners: run these tests as root");
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

interface Refusal {
  readonly code: string;
  readonly message: string | RegExp;
  /** The message comes behind the layer's place. */
  readonly inLayer?: boolean;
}

let repositories = 0;

/** Damages a fresh store, and asserts the refusal and that the layer has no name afterwards. */
async function assertRefused(
  refusal: Refusal,
  damage: (store: string) => void,
  { kind = "full", diffId = stores.BASE_DIFF_ID }: { kind?: stores.StoreKind; diffId?: string } = {},
): Promise<void> {
  const store = stores.unpackStore(scratch.path, kind);
  damage(store);
  const path = join(scratch.path, `damaged-${++repositories}`);
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const { inLayer = false, ...expected } = refusal;
  const pulled = pullImage(repository, stores.referenceTo(store), { name: "it" });
  await assert.rejects(pulled, inLayer ? outOfLayer(expected) : expected);
  assert.equal(repository.streams.find(layerStreamName(diffId)), undefined);
}

const tool = (store: string) => stores.diffPath(store, stores.BASE, "usr", "bin", "tool");

function flipLastByte(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
}

const rebuild = (reason: string, layer = stores.BASE) => ({
  inLayer: true,
  code: "corrupt",
  message: `Cannot rebuild layer ${layer}: ${reason}`,
});

test("a file that was changed, cut, removed or replaced", async () => {
  await assertRefused(rebuild("usr/bin/tool has changed since it was pulled"), (store) => flipLastByte(tool(store)));
  const cut = rebuild("usr/bin/tool has 5999 bytes, 6000 when it was pulled");
  await assertRefused(cut, (store) => truncateSync(tool(store), 5999));
  await assertRefused(rebuild("usr/bin/tool is missing"), (store) => rmSync(tool(store)));
  await assertRefused(rebuild("usr/bin/tool is not a regular file"), (store) => {
    rmSync(tool(store));
    mkdirSync(tool(store));
  });
  await assertRefused(rebuild("usr/bin/tool is not a regular file"), (store) => {
    rmSync(tool(store));
    execFileSync("mkfifo", [tool(store)]);
  });
});

test("a symbolic link is never followed, not even to the right bytes", async () => {
  await assertRefused(rebuild("usr/bin/tool is reached through a symbolic link"), (store) => {
    renameSync(tool(store), join(store, "tool"));
    symlinkSync(join(store, "tool"), tool(store));
  });
  await assertRefused(rebuild("usr/bin/tool is reached through a symbolic link"), (store) => {
    const directory = stores.diffPath(store, stores.BASE, "usr", "bin");
    cpSync(directory, join(store, "bin"), { recursive: true, dereference: false });
    rmSync(directory, { recursive: true });
    symlinkSync("../../../../bin", directory);
  });
});

test("a name that leads out of the layer", async () => {
  await assertRefused(rebuild("../../../secret is outside the layer"), (store) => {
    writeFileSync(join(store, "secret"), "vector\n");
    stores.editTarSplit(store, stores.BASE, (text) => text.replace('"etc/hostname"', '"../../../secret"'));
  });
});

test("of a store in parts and of one as composefs has it, files are missed by name", async () => {
  const partial = { kind: "partial" } as const;
  await assertRefused(rebuild("usr/bin/tool is missing"), (store) => rmSync(tool(store)), partial);
  const content = "8e/76368bb0c43c17c127aa4ff67e76f9f5c1c160acb52856649583fdc2645fc9";
  const cfs = { kind: "cfs" } as const;
  const missing = (store: string) => rmSync(stores.diffPath(store, stores.BASE, content));
  await assertRefused(rebuild("usr/bin/tool is missing"), missing, cfs);
  const changed = (store: string) => flipLastByte(stores.diffPath(store, stores.BASE, content));
  await assertRefused(rebuild("usr/bin/tool has changed since it was pulled"), changed, cfs);
});

/** The table of contents beside a layer of a composefs store. */
function editToc(store: string, edit: (text: string) => string): void {
  const path = join(store, "overlay-layers", stores.BASE, "=enN0ZC1jaHVua2VkLW1hbmlmZXN0");
  writeFileSync(path, edit(readFileSync(path, "utf8")));
}

test("a table of contents that lies or leads astray", async () => {
  const cfs = { kind: "cfs" } as const;
  await assertRefused(
    {
      inLayer: true,
      code: "corrupt",
      message: `Cannot read layer ${stores.BASE}: "sha256:../../../../etc/passwd" is no digest`,
    },
    (store) => editToc(store, (text) => text.replace(/"sha256:8e76\w+"/, '"sha256:../../../../etc/passwd"')),
    cfs,
  );
  const other = "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7";
  await assertRefused(
    rebuild("usr/bin/tool has 4096 bytes, 6000 when it was pulled"),
    (store) => editToc(store, (text) => text.replace(/sha256:8e76\w+/, `sha256:${other}`)),
    cfs,
  );
  await assertRefused(
    { inLayer: true, code: "corrupt", message: `Cannot read layer ${stores.BASE}: its table of contents is missing` },
    (store) => rmSync(join(store, "overlay-layers", stores.BASE, "=enN0ZC1jaHVua2VkLW1hbmlmZXN0")),
    cfs,
  );
  await assertRefused(
    { inLayer: true, code: "unsupported", message: `Cannot read layer ${stores.BASE}: its format 2 is not known` },
    (store) =>
      writeFileSync(join(store, "overlay-layers", stores.BASE, "=enN0ZC1jaHVua2VkLWxheWVyLWRhdGE="), '{"format":2}'),
    cfs,
  );
});

test("tar-split data that are missing, cut, or not those of the layer", async () => {
  const path = (store: string) => join(store, "overlay-layers", `${stores.BASE}.tar-split.gz`);
  await assertRefused(
    {
      inLayer: true,
      code: "unsupported",
      message: `Cannot rebuild layer ${stores.BASE}: the store has no tar-split data of it`,
    },
    (store) => rmSync(path(store)),
  );
  await assertRefused({ code: "corrupt", message: /gzip/ }, (store) => truncateSync(path(store), 300));
  await assertRefused(
    { inLayer: true, code: "corrupt", message: "Cannot read tar-split data: line 1: it is not JSON" },
    (store) => stores.editTarSplit(store, stores.BASE, (text) => `x${text}`),
  );
  const otherChecksum = (text: string) => text.replace("YV3MKGdyyzA=", "YV3MKGdyyzE=");
  await assertRefused(rebuild("etc/hostname has changed since it was pulled"), (store) =>
    stores.editTarSplit(store, stores.BASE, otherChecksum),
  );
  await assertRefused(rebuild("etc/hostname has no checksum"), (store) =>
    stores.editTarSplit(store, stores.BASE, (text) => text.replace('"YV3MKGdyyzA="', "null")),
  );
  // The line of the padding behind the first body: one of its zeros is none any more.
  const otherBytes = (text: string) => text.replace(/("type":2,"payload":")AAAA/, "$1AAAB");
  await assertRefused(
    {
      code: "corrupt",
      message: new RegExp(`its digest is sha256:\\w+, expected ${stores.BASE_DIFF_ID}$`),
    },
    (store) => stores.editTarSplit(store, stores.BASE, otherBytes),
  );
});

test("a file that was changed together with its checksum is found by the diff id", async () => {
  await assertRefused(
    {
      inLayer: true,
      code: "corrupt",
      message: new RegExp(`^Cannot accept the tar: its digest is sha256:\\w+, expected ${stores.BASE_DIFF_ID}$`),
    },
    (store) => {
      const content = Buffer.from("hacked\n");
      const checksum = Buffer.from(new Crc64().update(content).digest()).toString("base64");
      writeFileSync(stores.diffPath(store, stores.BASE, "etc", "hostname"), content);
      stores.editTarSplit(store, stores.BASE, (text) => text.replace("YV3MKGdyyzA=", checksum));
    },
  );
});

test("layers that are incomplete, missing, their own ancestors, or of another image", async () => {
  const list = (reason: string) => ({
    code: "corrupt",
    message: `Cannot read container storage: layer ${stores.BASE} ${reason}`,
  });
  const base = (layers: Record<string, unknown>[]) => layers.find(({ id }) => id === stores.BASE) ?? {};
  await assertRefused(list("is incomplete"), (store) =>
    stores.editList(store, "layers", (layers) => Object.assign(base(layers), { flags: { incomplete: true } })),
  );
  await assertRefused(list("is missing"), (store) =>
    stores.editList(store, "layers", (layers) => layers.splice(layers.indexOf(base(layers)), 1)),
  );
  await assertRefused({ code: "corrupt", message: /is its own ancestor$/ }, (store) =>
    stores.editList(store, "layers", (layers) => Object.assign(base(layers), { parent: stores.TOP })),
  );
  const other = `sha256:${"0".repeat(64)}`;
  await assertRefused(
    {
      inLayer: true,
      code: "corrupt",
      message: `Cannot open image ${stores.IMAGE_ID}: the store has no layer of it with the diff id ${stores.BASE_DIFF_ID}`,
    },
    (store) => stores.editList(store, "layers", (layers) => Object.assign(base(layers), { "diff-digest": other })),
  );
  await assertRefused({ code: "corrupt", message: /parent: is not 64 hexadecimal digits$/ }, (store) =>
    stores.editList(store, "layers", (layers) => Object.assign(base(layers), { parent: "../../etc" })),
  );
  await assertRefused({ inLayer: true, code: "not-found", message: /^Cannot read layer/ }, (store) =>
    rmSync(join(store, "overlay", stores.BASE), { recursive: true }),
  );
});

test("a manifest that the store does not have gets no name, whatever an index in its place says", async () => {
  const digest = `sha256:${"5".repeat(64)}`;
  const entry = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 5 };
  const refusal = { code: "not-found", message: new RegExp(`: the store has no manifest ${digest} for it$`) };
  await assertRefused(refusal, (store) => {
    const index = JSON.stringify({ schemaVersion: 2, manifests: [entry] });
    writeFileSync(join(store, "overlay-images", stores.IMAGE_ID, "manifest"), index);
    stores.editList(store, "images", (images) => {
      for (const image of images) delete image["big-data-digests"];
    });
  });
});
