/** Attacks on what the signed boot program checks: the root image and the command line. Every run has one of each kind. */
import { before, describe, test } from "node:test";
import { DiskCopy } from "./disk-copy.ts";
import { addOtherImage, OTHER_ID, OTHER_IMAGE, replaceWithTwoImages } from "./own-uki.ts";
import { assertRefused, objectPath, objectPathOf, type SealedExample, sealedExample } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

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
    await assertRefused(example, (disk) => disk.replace(objectPath(example.deploymentId), OTHER_IMAGE, "with-verity"), [
      line("Cannot use the root image: its fs-verity digest is a different one"),
      expected(),
      line(` *found: +sha512:${OTHER_ID}`),
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

  test(
    "when root image and meta.json have lost their fs-verity, whatever the disk then says of itself",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(
        example,
        async (disk) => {
          await disk.clearVerity("/composefs/meta.json");
          await disk.clearVerity(objectPath(example.deploymentId));
        },
        [line("Cannot use the root image: fs-verity does not vouch for it"), expected(), STOPPED],
      );
    },
  );

  test("when a byte of the root image's superblock was flipped", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, (disk) => disk.flipByte(objectPath(example.deploymentId), SUPERBLOCK_OFFSET), [
      line("Cannot mount the root image"),
      STOPPED,
    ]);
  });

  test("when the repository does not have the root image", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, (disk) => disk.unlink(`/composefs/images/${example.deploymentId}`), [
      line("Cannot open the root image: it is not in the repository"),
      STOPPED,
    ]);
  });

  test("when the machine's tables append a second composefs= to the signed command line", async () => {
    await assertRefused(
      example,
      addOtherImage,
      [
        line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
        STOPPED,
      ],
      { smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=composefs=${OTHER_ID}`] },
    );
  });

  test(
    "when the first of two signed images is missing: the second does not take its place",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(
        example,
        async (disk) => {
          await replaceWithTwoImages(example, disk);
          await disk.unlink(`/composefs/images/${example.deploymentId}`);
        },
        [line("Cannot open the root image: it is not in the repository"), STOPPED],
      );
    },
  );

  test(
    "when the machine's tables append a third composefs argument to two signed ones",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(
        example,
        async (disk) => {
          await replaceWithTwoImages(example, disk);
        },
        [
          line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
          STOPPED,
        ],
        { smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=composefs=${OTHER_ID}`] },
      );
    },
  );

  test(
    "when the machine's tables append the other form of argument, with an image that is not permitted",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(
        example,
        addOtherImage,
        [
          line(
            "Cannot choose the root image: the kernel command line names one that the sealed initramfs does not permit",
          ),
          expected(),
          line(` *found: +sha512:${OTHER_ID}`),
          STOPPED,
        ],
        { smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=composefs.digest=v1-sha512-12:${OTHER_ID}`] },
      );
    },
  );

  test("when objects are gone, or a folder or a link is in their place", async () => {
    const objects = await Promise.all(
      ["GPL-1", "GPL-2", "GPL-3"].map((name) => objectPathOf(example, `usr/share/common-licenses/${name}`)),
    );
    const [, folder = "", link = ""] = objects;
    const [first] = objects.toSorted();
    await assertRefused(
      example,
      async (disk) => {
        for (const path of objects) await disk.unlink(path);
        await disk.makeDirectory(folder);
        await disk.symlink(link, `../../images/${example.deploymentId}`);
      },
      [line("Cannot use the root image: 3 of its \\d+ objects are missing"), line(` *where: +${first}`), STOPPED],
    );
  });

  test("when the state of /var is a link to /", ONLY_IN_WHOLE_SUITE, async () => {
    const path = `/state/deploy/${example.deploymentId}/var`;
    await assertRefused(
      example,
      async (disk) => {
        await disk.unlink(path);
        await disk.symlink(path, "/");
      },
      [
        line("Cannot find the state of /var: a link leads out of the physical root"),
        line(` *where: +${path} on the physical root`),
        line(" *found: +/\\s"),
        STOPPED,
      ],
    );
  });

  test("when a copy of the disk is in the machine as well", async () => {
    const copy = await DiskCopy.make(example.diskPath);
    try {
      await assertRefused(
        example,
        async () => {},
        [
          line("Cannot find the root device: 2 partitions are the one that the boot loader came from"),
          line(" *found: +vda2 .*; vdb2 "),
          STOPPED,
        ],
        {},
        [{ path: copy.path }],
      );
    } finally {
      await copy.remove();
    }
  });
});
