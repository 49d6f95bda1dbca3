/** The sealed image as an image: one digest from every point of view, and the same bytes every time. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { makeSealedDisk, type SealedDisk } from "../../examples/debian/sealed-disk.ts";
import { silent } from "../../src/events/index.ts";
import { type OpenedImage, openImage } from "../../src/images/index.ts";
import { type ImageManifest, parseReference } from "../../src/oci/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";

const SEALROOT = join(import.meta.dirname, "../../bin/sealroot");

async function sealroot(words: readonly string[], env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await runTool("sh", ["-c", 'exec "$0" "$@"', SEALROOT, ...words], {
    env,
    successCodes: [0, 1, 2],
  });
  return { exitCode, stdout: stdout.toString(), stderr };
}

/** The layers of an image, lowest first, unpacked over each other as container tools do. Whiteouts first. */
async function extract(image: OpenedImage, path: (digest: string) => string, target: string): Promise<void> {
  for (const layer of image.manifest.layers) {
    const { stdout } = await runTool("tar", ["-tzf", path(layer.digest)]);
    for (const name of stdout.toString().split("\n")) {
      const whiteout = /^(.*\/)?\.wh\.([^/]+)$/.exec(name);
      if (whiteout) await runTool("rm", ["-rf", join(target, whiteout[1] ?? "", whiteout[2] ?? "")]);
    }
    const flags = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-owner", "-p", "--exclude=.wh.*"];
    await runTool("tar", ["-xzf", path(layer.digest), "-C", target, ...flags]);
  }
}

describe("the sealed image", () => {
  let example: SealedDisk;
  let manifest: ImageManifest;
  let imageId: string;
  let uki: Buffer;
  const blobPath = (digest: string) => {
    const reference = parseReference(example.sealedReference);
    assert.ok("path" in reference);
    return join(reference.path, "blobs", digest.replace(":", "/"));
  };

  before(async () => {
    example = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
    const image = await openImage(parseReference(example.sealedReference));
    manifest = image.manifest;
    await image.close();
    const last = blobPath(manifest.layers.at(-1)?.digest ?? "");
    uki = (await runTool("tar", ["-xzOf", last, "--wildcards", "boot/EFI/Linux/*.efi"])).stdout;
    imageId = /^composefs=([0-9a-f]{128}) rw/.exec(readUki(uki).commandLine ?? "")?.[1] ?? "";
    assert.notEqual(imageId, "");
  });

  test("has the digest of its UKI when that is computed from its layers", async () => {
    using scratch = temporaryDirectory();
    const repository = join(scratch.path, "repository");
    assert.equal((await sealroot(["repo", "init", "--insecure", repository])).exitCode, 0);
    const pulled = await sealroot(["image", "pull", "--repo", repository, "--bootable", example.sealedReference, "os"]);
    assert.equal(pulled.exitCode, 0, pulled.stderr);
    assert.match(pulled.stdout, new RegExp(`^Boot image: ${imageId}$`, "m"));
    const computed = await sealroot(["image", "compute-id", "--repo", repository, "--bootable", "os"]);
    assert.equal(computed.stdout, `${imageId}\n`);
  });

  test("has the digest of its UKI when that is computed from an extracted tree", async () => {
    using scratch = temporaryDirectory();
    const tree = join(scratch.path, "tree");
    await mkdir(tree);
    const image = await openImage(parseReference(example.sealedReference));
    await extract(image, blobPath, tree);
    await image.close();
    const computed = await sealroot(["container", "compute-composefs-digest", tree]);
    assert.deepEqual([computed.exitCode, computed.stdout], [0, `${imageId}\n`], computed.stderr);
  });

  test("has a UKI and a boot loader that sbverify accepts with the db certificate only", async () => {
    using scratch = temporaryDirectory();
    const last = blobPath(manifest.layers.at(-1)?.digest ?? "");
    await runTool("tar", ["-xzf", last, "-C", scratch.path]);
    await writeFile(join(scratch.path, "uki.efi"), uki);
    const loader = join(scratch.path, "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed");
    for (const file of [join(scratch.path, "uki.efi"), loader]) {
      const verify = (key: string) =>
        runTool("sbverify", ["--cert", join(example.keysDirectory, `${key}.pem`), file], { successCodes: [0, 1] });
      assert.equal((await verify("db")).exitCode, 0, file);
      assert.equal((await verify("KEK")).exitCode, 1, file);
    }
  });

  test("has the same bytes when it is sealed again, and keeps the layers of the input", async () => {
    using scratch = temporaryDirectory();
    const env = { SOURCE_DATE_EPOCH: String(example.image.sourceDateEpochSeconds) };
    const output = `oci:${join(scratch.path, "again")}:latest`;
    const words = ["seal", example.image.reference, "-o", output, "--keys", example.keysDirectory, "--json"];
    const sealed = await sealroot(words, env);
    assert.equal(sealed.exitCode, 0, sealed.stderr);
    const report = JSON.parse(sealed.stdout);
    assert.equal(report.imageId, imageId);
    const first = await openImage(parseReference(example.sealedReference));
    const second = await openImage(parseReference(output));
    assert.deepEqual(second.manifestBytes, first.manifestBytes);
    assert.equal(report.manifestDigest, first.descriptor.digest);
    const input = await openImage(parseReference(example.image.reference));
    assert.deepEqual(first.manifest.layers.slice(0, -1), input.manifest.layers);
    await Promise.all([first.close(), second.close(), input.close()]);
  });

  test("can be signed elsewhere: the UKI taken out, signed by sbsign and attached, is the image's", async () => {
    using scratch = temporaryDirectory();
    const at = (name: string) => join(scratch.path, name);
    const env = { SOURCE_DATE_EPOCH: String(example.image.sourceDateEpochSeconds) };
    const run = async (words: readonly string[], expected = 0) => {
      const { exitCode, stderr } = await sealroot(words, env);
      assert.equal(exitCode, expected, stderr);
      return stderr;
    };
    const unsigned = `oci:${at("unsigned")}:latest`;
    await run(["seal", example.image.reference, "-o", unsigned, "--unsigned"]);
    await run(["seal", "attach", unsigned, "--extract", at("uki.efi")]);
    const refusal = await run(["seal", "attach", unsigned, at("uki.efi"), "-o", `oci:${at("signed")}:latest`], 1);
    assert.match(refusal, /^sealroot: Cannot attach the UKI: it is not signed$/m);
    const key = (name: string) => join(example.keysDirectory, name);
    await runTool("sbsign", [
      ...["--key", key("db.key"), "--cert", key("db.pem")],
      ...["--output", at("signed.efi"), at("uki.efi")],
    ]);
    await run(["seal", "attach", unsigned, at("signed.efi"), "-o", `oci:${at("signed")}:latest`]);
    const image = await openImage(parseReference(`oci:${at("signed")}:latest`));
    await image.close();
    const last = join(at("signed"), "blobs", image.manifest.layers.at(-1)?.digest.replace(":", "/") ?? "");
    const attached = (await runTool("tar", ["-xzOf", last, "--wildcards", "boot/EFI/Linux/*.efi"])).stdout;
    assert.deepEqual(attached, await readFile(at("signed.efi")));
    assert.equal(readUki(attached).commandLine, readUki(await readFile(at("uki.efi"))).commandLine);
    const repository = at("repository");
    await run(["repo", "init", "--insecure", repository]);
    await run(["image", "pull", "--repo", repository, "--bootable", `oci:${at("signed")}:latest`, "os"]);
    const computed = await sealroot(["image", "compute-id", "--repo", repository, "--bootable", "os"]);
    assert.equal(`composefs=${computed.stdout.trim()} rw`, readUki(attached).commandLine?.slice(0, 141));
  });

  test("cannot be sealed again", async () => {
    using scratch = temporaryDirectory();
    const output = join(scratch.path, "twice");
    const words = ["seal", example.sealedReference, "-o", `oci:${output}`, "--keys", example.keysDirectory];
    const { exitCode, stderr } = await sealroot(words);
    assert.equal(exitCode, 1);
    assert.equal(
      stderr,
      `sealroot: Cannot seal ${example.sealedReference}: it is already sealed\n  seal the image it was made from\n`,
    );
    await assert.rejects(openImage(parseReference(`oci:${output}`)));
  });
});
