/** Several writers of one layout: no tag is lost, and one that gives up takes nothing from the others. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { copySignatures } from "../../../src/images/copy/copy-signatures.ts";
import { LayoutDestination } from "../../../src/images/copy/layout-destination.ts";
import { openSource } from "../../../src/images/sources/open-source.ts";
import { type Descriptor, OciLayout, parseReference } from "../../../src/oci/index.ts";
import { file, layeredImage } from "../../imagestore/layered-image.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";

const WRITERS = 6;
const ROUNDS = 20;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let base: Awaited<ReturnType<typeof layeredImage>>;
before(async () => {
  scratch = await scratchDirectory();
  base = await layeredImage(join(scratch.path, "base"), [[file("x", Buffer.from("x"))]]);
});
after(() => scratch.remove());

/** A process that copies the image under each of these tags, one after the other. */
async function copyInProcess(target: string, tags: readonly string[]): Promise<number> {
  const program = `
    const { copyImage } = await import(${JSON.stringify(new URL("../../../src/images/index.ts", import.meta.url).href)});
    const { parseReference } = await import(${JSON.stringify(new URL("../../../src/oci/index.ts", import.meta.url).href)});
    for (const tag of ${JSON.stringify(tags)}) {
      await copyImage(parseReference(${JSON.stringify(`oci:${base.layout.directory}:t`)}),
        parseReference(${JSON.stringify(`oci:${target}`)} + tag), { policy: "accept-anything" });
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  return code;
}

function tagsOf(directory: string): string[] {
  const { manifests }: { manifests: readonly Descriptor[] } = JSON.parse(
    readFileSync(join(directory, "index.json"), "utf8"),
  );
  return manifests.map(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"] ?? "").sort();
}

test("six processes copy into one layout, twenty times: all tags are there", async () => {
  const target = join(scratch.path, "shared");
  const writers = Array.from({ length: WRITERS }, (_, writer) => {
    return Array.from({ length: ROUNDS }, (_, round) => `:v${writer}-${round}`);
  });
  const codes = await Promise.all(writers.map((tags) => copyInProcess(target, tags)));
  assert.deepEqual(
    codes,
    codes.map(() => 0),
  );
  assert.deepEqual(
    tagsOf(target),
    writers
      .flat()
      .map((tag) => tag.slice(1))
      .sort(),
  );
});

test("writers of one process that make the layout at the same time lose nothing either", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const target = join(scratch.path, "made");
    rmSync(target, { recursive: true, force: true });
    const [descriptor] = (await base.layout.readIndex()).manifests;
    assert.ok(descriptor);
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const layout = await OciLayout.create(target);
        await layout.blobs.copyFrom(base.layout.blobs, descriptor);
        await layout.enter(descriptor, `v${writer}`);
      }),
    );
    assert.deepEqual(tagsOf(target), ["v0", "v1", "v2", "v3", "v4", "v5"]);
  }
});

test("a writer that gives up leaves the layout to those who are still at it", async () => {
  const reference = parseReference(`oci:${join(scratch.path, "given-up")}:t`);
  assert.ok("path" in reference);
  const [descriptor] = (await base.layout.readIndex()).manifests;
  assert.ok(descriptor);
  const first = await LayoutDestination.open(reference);
  const second = await LayoutDestination.open(reference);
  await second.putBlob({ name: descriptor, store: base.layout.blobs, open: () => base.layout.blobs.read(descriptor) });
  await first.abort();
  assert.equal(await second.hasBlob(descriptor), true);
  await second.abort();
  // Found as a layout, it stays one, though nobody else is there.
  assert.equal(existsSync(reference.path), true);
  rmSync(reference.path, { recursive: true });
  const alone = await LayoutDestination.open(reference);
  await alone.abort();
  assert.equal(existsSync(reference.path), false);
});

test("signatures that are copied into a layout join those that are listed there", async () => {
  const source = join(scratch.path, "signed");
  const { layout } = await layeredImage(source, [[file("y", Buffer.from("y"))]]);
  const [image] = (await layout.readIndex()).manifests;
  assert.ok(image);
  const referrer = async (into: OciLayout, note: string) => {
    const config = { mediaType: "application/vnd.oci.empty.v1+json", ...(await into.blobs.put(Buffer.from("{}"))) };
    const document = {
      ...{ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [] },
      subject: { mediaType: image.mediaType, digest: image.digest, size: image.size },
      annotations: { note },
    };
    return { mediaType: document.mediaType, ...(await into.blobs.put(Buffer.from(JSON.stringify(document)))) };
  };
  const tag = image.digest.replace(":", "-");
  await layout.enterReferrers(tag, [await referrer(layout, "new")]);
  const target = await OciLayout.create(join(scratch.path, "signatures"));
  const old = await referrer(target, "old");
  await target.enterReferrers(tag, [old]);
  const opened = await openSource(parseReference(`oci:${source}:t`));
  const place = { transport: "oci", path: target.directory, tag: undefined } as const;
  for (let times = 0; times < 2; times++) await copySignatures(opened, [image.digest], place, {});
  await opened.close();
  const list = (await target.readIndex()).manifests.find(
    (entry) => entry.annotations?.["org.opencontainers.image.ref.name"] === tag,
  );
  assert.ok(list);
  const { manifests } = JSON.parse(Buffer.from(await target.blobs.readWhole(list)).toString());
  assert.equal(manifests.length, 2);
  assert.equal(manifests[0].digest, old.digest);
});
