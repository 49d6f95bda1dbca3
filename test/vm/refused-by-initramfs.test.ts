/** Attacks on what the signed boot program checks: the root image and the command line. */
import { before, describe, test } from "node:test";
import { verityDigest } from "../../src/verity/index.ts";
import { otherImage } from "./other-image.ts";
import { assertRefused, objectPath, type SealedExample, sealedExample } from "./sealed-example.ts";

/** EROFS superblock: magic at byte 1024 (Linux fs/erofs/erofs_fs.h). */
const SUPERBLOCK_OFFSET = 1024;

const STOPPED = /sealroot: Stopped: /;
const line = (text: string) => new RegExp(`sealroot: ${text}`);

describe("the boot program stops the machine", () => {
  let example: SealedExample;
  before(async () => {
    example = await sealedExample();
  });
  const expected = () => line(` *expected: sha512:${example.deploymentId}`);

  test("when the root image was swapped for another valid one, naming expected and found digest", async () => {
    const image = otherImage();
    await assertRefused(example, (disk) => disk.replace(objectPath(example.deploymentId), image, "with-verity"), [
      line("Cannot use the root image: its fs-verity digest is another one"),
      expected(),
      line(` *found: +sha512:${verityDigest(image, "sha512")}`),
      STOPPED,
    ]);
  });

  test("when the root image has lost its fs-verity", async () => {
    await assertRefused(example, (disk) => disk.clearVerity(objectPath(example.deploymentId)), [
      line("Cannot use the root image: fs-verity does not vouch for it"),
      expected(),
      line(" *found: +the file has no fs-verity digest"),
      STOPPED,
    ]);
  });

  test("when root image and meta.json have lost their fs-verity, whatever the disk then says of itself", async () => {
    await assertRefused(
      example,
      async (disk) => {
        await disk.clearVerity("/composefs/meta.json");
        await disk.clearVerity(objectPath(example.deploymentId));
      },
      [line("Cannot use the root image: fs-verity does not vouch for it"), expected(), STOPPED],
    );
  });

  test("when a byte of the root image's superblock was flipped", async () => {
    await assertRefused(example, (disk) => disk.flipByte(objectPath(example.deploymentId), SUPERBLOCK_OFFSET), [
      line("Cannot mount the root image"),
      STOPPED,
    ]);
  });

  test("when the repository does not have the root image", async () => {
    await assertRefused(example, (disk) => disk.unlink(`/composefs/images/${example.deploymentId}`), [
      line("Cannot open the root image: it is not in the repository"),
      STOPPED,
    ]);
  });

  test("when the machine's tables append a second composefs= to the signed command line", async () => {
    const other = otherImage();
    const id = verityDigest(other, "sha512");
    await assertRefused(
      example,
      async (disk) => {
        await disk.replace(objectPath(id), other, "with-verity");
        await disk.symlink(`/composefs/images/${id}`, `../objects/${id.slice(0, 2)}/${id.slice(2)}`);
      },
      [
        line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
        STOPPED,
      ],
      { smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=composefs=${id}`] },
    );
  });
});
