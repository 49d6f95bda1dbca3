import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ARCHITECTURES, readType1Files } from "../../src/bootimage/index.ts";
import { recordOfType1, type StagedDeployment, stageDeployment } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { baseFiles, plainKernel, sealImage, type1Files, unsealedImage } from "../install/sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-staging-type1-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function directory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

/** Stages an image in a repository of its own, whose images have this version. */
async function stage<Result>(
  name: string,
  reference: string,
  look: (staged: StagedDeployment, storedIds: readonly string[]) => Result,
  erofsVersion: 1 | 2 = 1,
): Promise<Result> {
  const options = { algorithm: "sha512", protection: "insecure", erofsVersion } as const;
  using repository = (await initRepository(join(directory(name), "repository"), options)).repository;
  const image = await openImage(parseReference(reference), { policy: "accept-anything" });
  try {
    if (image.config === undefined) throw new Error("the image has a configuration");
    const staged = await stageDeployment(repository, { ...image, config: image.config }, reference, silent);
    return look(
      staged,
      repository.images.entries().map(({ entry }) => entry),
    );
  } finally {
    await image.close();
  }
}

const unsealed = await unsealedImage(directory("image"), [...baseFiles(), ...type1Files()]);
const wanted = unsealed.images.find(({ version }) => version === 1)?.id;

test("an image without UKI is staged by its plain boot image of version 1, whatever the repository prefers", async () => {
  for (const version of [1, 2] as const) {
    await stage(
      `version-${version}`,
      unsealed.reference,
      (staged, ids) => {
        assert.equal(staged.bootType, "bls");
        assert.equal(staged.deploymentId, wanted);
        assert.ok(ids.includes(wanted ?? ""));
        if (staged.bootType !== "bls") return;
        assert.deepEqual(staged.kernel, {
          kernelRelease: "6.12",
          kernelPath: "/usr/lib/modules/6.12/vmlinuz",
          initramfsPath: "/usr/lib/modules/6.12/initramfs.img",
        });
        const files = readType1Files(staged.files, staged.kernel, ARCHITECTURES.amd64);
        assert.deepEqual(recordOfType1(staged, "docker://quay.io/example/os:1", files), {
          deploymentId: wanted,
          origin: {
            imageReference: "docker://quay.io/example/os:1",
            bootType: "bls",
            bootDigest: createHash("sha256").update(plainKernel()).update("initramfs").digest("hex"),
            manifestDigest: staged.manifestDigest,
            pinned: false,
          },
        });
      },
      version,
    );
  }
});

test("an image with a UKI beside kernel and initramfs is a sealed one", async () => {
  const sealed = await sealImage(directory("sealed"), [...baseFiles(), ...type1Files()]);
  await stage("sealed-repository", sealed.reference, (staged) => {
    assert.equal(staged.bootType, "uki");
    assert.equal(staged.deploymentId, sealed.deploymentId);
  });
});

test("an image that cannot boot unsealed is refused before an image is made of it", async () => {
  const files = [...baseFiles(), ...type1Files()].filter(({ path }) => !path.endsWith("initramfs.img"));
  const { reference } = await unsealedImage(directory("no-initramfs"), files);
  await assert.rejects(
    stage("no-initramfs-repository", reference, () => {}),
    { code: "unsupported", message: /and has no initramfs \(\/usr\/lib\/modules\/6\.12\/initramfs\.img\)$/ },
  );
});
