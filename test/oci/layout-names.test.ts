/** Names of images in layouts and archives: with colons and slashes, as podman and skopeo write them, and hints that can be typed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { copyImage, openImage } from "../../src/images/index.ts";
import { type Descriptor, formatReference, parseReference } from "../../src/oci/index.ts";
import { file, layeredImage } from "../imagestore/layered-image.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";

const POLICY = "accept-anything";
const REF_NAME = "org.opencontainers.image.ref.name";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
/** A layout with one image, `t`. */
let base: string;
let descriptor: Descriptor;
before(async () => {
  scratch = await scratchDirectory();
  base = join(scratch.path, "base");
  const { layout } = await layeredImage(base, [[file("x", Buffer.from("x"))]], { compression: "gzip" });
  [descriptor] = (await layout.readIndex()).manifests as [Descriptor];
});
after(() => scratch.remove());

let directories = 0;

/** A layout with these images, each with a digest of its own; an empty name is none. */
async function layoutWith(...names: readonly string[]): Promise<string> {
  const directory = join(scratch.path, `layout-${directories++}`);
  const { layout } = await layeredImage(directory, [[file("x", Buffer.from(directory))]]);
  const manifests = [];
  for (const [index, name] of names.entries()) {
    const other = await layeredImage(`${directory}-${index}`, [[file("x", Buffer.from(`${directory}-${index}`))]]);
    const [image] = (await other.layout.readIndex()).manifests;
    assert.ok(image);
    cpSync(join(other.layout.directory, "blobs"), join(layout.directory, "blobs"), { recursive: true });
    const { annotations: _, ...bare } = image;
    manifests.push({ ...bare, ...(name === "" ? {} : { annotations: { [REF_NAME]: name } }) });
  }
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return directory;
}

async function digestOf(reference: string): Promise<string> {
  const image = await openImage(parseReference(reference), { policy: POLICY });
  await image.close();
  return image.descriptor.digest;
}

function names(directory: string): (string | undefined)[] {
  const text = execFileSync("cat", [join(directory, "index.json")]).toString();
  const { manifests }: { manifests: readonly Descriptor[] } = JSON.parse(text);
  return manifests.map(({ annotations }) => annotations?.[REF_NAME]);
}

test("references: the name of an image is what follows the first colon, as with podman and skopeo", () => {
  const cases: [string, string, string | undefined][] = [
    ["oci:dir", "dir", undefined],
    ["oci:dir:tag", "dir", "tag"],
    ["oci:dir:", "dir", undefined],
    ["oci:dir:localhost/app:1.0", "dir", "localhost/app:1.0"],
    ["oci:out/lay:centos:7.9", "out/lay", "centos:7.9"],
    ["oci:/a:b/c:t", "/a", "b/c:t"],
    ["oci-archive:x.tar:v1.2", "x.tar", "v1.2"],
    ["oci-archive:x.tar:quay.io/a/b:v1.2", "x.tar", "quay.io/a/b:v1.2"],
  ];
  for (const [text, path, tag] of cases) {
    const reference = parseReference(text);
    assert.ok("path" in reference);
    assert.deepEqual([reference.path, reference.tag], [path, tag], text);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }
});

test("what skopeo and podman call an image by finds it, in a layout and in an archive", async () => {
  const full = ["localhost/app:1.0", "localhost/app:2.0", "centos:7.9", "docker.io/library/debian:13", "a+b@c--d"];
  const [directory, archive] = [join(scratch.path, "named"), join(scratch.path, "named.tar")];
  for (const name of full) {
    execFileSync("skopeo", ["--insecure-policy", "copy", "--quiet", `oci:${base}:t`, `oci:${directory}:${name}`]);
  }
  execFileSync("tar", ["-C", directory, "-cf", archive, "."]);
  for (const name of full) {
    assert.equal(await digestOf(`oci:${directory}:${name}`), descriptor.digest);
    assert.equal(await digestOf(`oci-archive:${archive}:${name}`), descriptor.digest);
  }
  assert.deepEqual(names(directory), full);
});

test("what is written has the name that was given, and skopeo finds it by that", async () => {
  const [directory, archive] = [join(scratch.path, "out/lay"), join(scratch.path, "out/archive.tar")];
  mkdirSync(join(scratch.path, "out"));
  const source = parseReference(`oci:${base}:t`);
  for (const name of ["centos:7.9", "localhost/app:1.0"]) {
    for (const target of [`oci:${directory}:${name}`, `oci-archive:${archive}:${name}`]) {
      await copyImage(source, parseReference(target), { policy: POLICY });
      const digest = execFileSync("skopeo", ["inspect", "--format", "{{.Digest}}", target]).toString().trim();
      assert.equal(digest, descriptor.digest, target);
    }
  }
  assert.deepEqual(names(directory), ["centos:7.9", "localhost/app:1.0"]);
  assert.deepEqual(
    execFileSync("ls", ["-A", join(scratch.path, "out")])
      .toString()
      .split("\n"),
    ["archive.tar", "lay", ""],
  );
});

test("a directory with a colon in its name is read: the longest path that is a layout counts", async () => {
  const [short, long] = [await layoutWith("x:t", "y"), await layoutWith("t")];
  const [plain, withColon] = [join(scratch.path, "colons"), join(scratch.path, "colons:x")];
  renameSync(short, plain);
  const ofShort = await digestOf(`oci:${plain}:x:t`);
  renameSync(long, withColon);
  const ofLong = await digestOf(`oci:${withColon}:t`);
  assert.notEqual(ofLong, ofShort);
  assert.equal(await digestOf(`oci:${withColon}`), ofLong);
  assert.equal(await digestOf(`oci:${plain}:x:t`), ofLong);
  assert.notEqual(await digestOf(`oci:${plain}:y`), ofLong);
  execFileSync("tar", ["-C", withColon, "-cf", `${withColon}.tar:1`, "."]);
  assert.equal(await digestOf(`oci-archive:${withColon}.tar:1:t`), ofLong);
  assert.equal(await digestOf(`oci-archive:${withColon}.tar:1`), ofLong);
  await assert.rejects(digestOf(`oci:${scratch.path}/absent:a:b/c`), {
    code: "not-found",
    message: `Cannot open OCI layout: ${scratch.path}/absent has no file oci-layout`,
  });
});

/** What a hint says to write after the path. */
function offered(error: unknown): readonly string[] {
  assert.ok(error instanceof SealrootError);
  const [, list = ""] =
    /^(?:name one by its tag|the (?:tags|names) there are): (.*)$/.exec(error.data.hint ?? "") ?? [];
  return list.split(", ");
}

async function errorOf(reference: string): Promise<unknown> {
  return digestOf(reference).then(
    () => assert.fail(`${reference} can be opened`),
    (error: unknown) => error,
  );
}

test("what a hint offers can be typed, whatever the images are called", async () => {
  const part = fc.stringMatching(/^[a-z0-9]+(?:[-._:@+][a-z0-9]+){0,2}$/);
  const name = fc.oneof(
    fc.constant(""),
    fc.constant("twice"),
    fc.array(part, { minLength: 1, maxLength: 3 }).map((p) => p.join("/")),
  );
  const property = async (all: readonly string[]) => {
    const directory = await layoutWith(...all);
    const archive = `${directory}.tar`;
    execFileSync("tar", ["-C", directory, "-cf", archive, "."]);
    for (const place of [`oci:${directory}`, `oci-archive:${archive}`]) {
      for (const error of [await errorOf(place), await errorOf(`${place}:no such name`)]) {
        const ways = offered(error);
        const found = await Promise.all(ways.map((way) => digestOf(`${place}:${way}`)));
        assert.deepEqual([ways.length, new Set(found).size], [all.length, all.length], ways.join(" "));
      }
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(name, { minLength: 2, maxLength: 4 }), property), { numRuns: 15 });
});

test("what a hint offers for an archive of docker's can be typed too", async () => {
  const archive = join(scratch.path, "docker.tar");
  const source = `oci:${base}:t`;
  execFileSync("skopeo", ["--insecure-policy", "copy", "-q", source, `docker-archive:${archive}:quay.io/a/b:1`]);
  assert.equal(existsSync(archive), true);
  const ways = offered(await errorOf(`docker-archive:${archive}:other`));
  assert.deepEqual(ways, ["quay.io/a/b:1"]);
  for (const way of ways) await digestOf(`docker-archive:${archive}:${way}`);
});
