import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../../src/images/index.ts";
import { parseReference } from "../../../src/oci/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import * as stores from "./stores.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let store: string;
const LIST_DIGEST = `sha256:${"1".repeat(64)}`;
before(async () => {
  assert.equal(process.getuid?.(), 0, "the stores have devices and owners: run these tests as root");
  scratch = await scratchDirectory();
  store = stores.unpackStore(scratch.path, "full");
  stores.editList(store, "images", (images) => {
    const image = images[0] ?? {};
    image.names = [stores.NAME, "localhost/own:latest", "docker.io/library/debian:13"];
    image["big-data-names"] = [...(image["big-data-names"] as string[]), `manifest-${LIST_DIGEST}`];
    // An image that is only listed: it has the same beginning of its id.
    images.push({ id: `${stores.IMAGE_ID.slice(0, 12)}${"0".repeat(52)}`, names: ["example.com/other:v"] });
  });
});
after(() => scratch.remove());

async function manifestOf(image: string): Promise<string> {
  const opened = await openImage(parseReference(stores.referenceTo(store, image)));
  await opened.close();
  return opened.descriptor.digest;
}

test("an image is found by its names, its id, the beginning of it, and the digests of its manifests", async () => {
  const id = stores.IMAGE_ID;
  const names = [
    ...[stores.NAME, "localhost/own:latest", "localhost/own", "own", "debian:13", "docker.io/debian:13"],
    ...[id, `sha256:${id}`, id.slice(0, 13), `@${id}`, `${stores.NAME}@${id}`, `@${id.slice(0, 20)}`],
    ...[`registry.example.com/t/store@${stores.MANIFEST}`, `${stores.NAME}@${LIST_DIGEST}`],
  ];
  for (const name of names) assert.equal(await manifestOf(name), stores.MANIFEST, name);
});

test("what names no image is refused with the names there are", async () => {
  const id = stores.IMAGE_ID;
  const hint = `the names there are: ${stores.NAME}, localhost/own:latest, docker.io/library/debian:13, example.com/other:v`;
  for (const name of ["absent", "debian", "t/store:v", `example.com/other:v@${id}`, `other@${stores.MANIFEST}`]) {
    const reference = stores.referenceTo(store, name);
    await assert.rejects(manifestOf(name), {
      code: "not-found",
      message: `Cannot open image ${reference}: there is none with that name`,
      data: { path: store, hint },
    });
  }
});

test("what may be one of several is refused with the ids", async () => {
  const beginning = stores.IMAGE_ID.slice(0, 12);
  await assert.rejects(manifestOf(beginning), {
    code: "usage",
    message: `Cannot open image ${stores.referenceTo(store, beginning)}: it may be one of several`,
    data: { path: store, hint: `write more of the id: ${stores.IMAGE_ID}, ${beginning}${"0".repeat(52)}` },
  });
});

test("what is not a store of the overlay driver is refused", async () => {
  const other = join(scratch.path, "vfs");
  const open = () => openImage(parseReference(`containers-storage:[${other}]${stores.NAME}`));
  await assert.rejects(open(), {
    code: "not-found",
    message: `Cannot open container storage ${other}: there is no store`,
  });
  mkdirSync(join(other, "vfs-images"), { recursive: true });
  await assert.rejects(open(), {
    code: "unsupported",
    message: `Cannot open container storage ${other}: its driver is vfs`,
  });
  await assert.rejects(openImage(parseReference(`containers-storage:[vfs@${other}]${stores.NAME}`)), {
    code: "unsupported",
    message: "Cannot open container storage: driver vfs is not supported",
  });
});

test("an image without a manifest, as unfinished ones are", async () => {
  await assert.rejects(manifestOf("example.com/other:v"), {
    code: "corrupt",
    message: /the store has no manifest of it$/,
  });
  const bare = stores.unpackStore(scratch.path, "full");
  rmSync(join(bare, "overlay-images", "images.json"));
  await assert.rejects(openImage(parseReference(stores.referenceTo(bare))), {
    code: "not-found",
    data: { path: bare, hint: "the names there are: (none)" },
  });
});
