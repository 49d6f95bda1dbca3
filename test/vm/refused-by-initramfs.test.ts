/** Attacks on what the signed boot program checks: the root image and the command line. Every run has one of each kind. */
import { before, describe, test } from "node:test";
import { loadSigner } from "../../src/keys/index.ts";
import { addSections, signPe } from "../../src/pe/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { addOtherImage, initramfsWith, OTHER_ID, OTHER_IMAGE, replaceUki, replaceWithTwoImages } from "./own-uki.ts";
import {
  assertRefused,
  imageFile,
  objectPath,
  objectPathOf,
  type SealedExample,
  sealedExample,
} from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** EROFS superblock: magic at byte 1024 (Linux fs/erofs/erofs_fs.h). */
const SUPERBLOCK_OFFSET = 1024;

const NOT_PERMITTED =
  "Cannot choose the root image: the kernel command line names one that the sealed initramfs does not permit";
const STOPPED = /sealroot: Stopped: /;
const line = (text: string) => new RegExp(`sealroot: ${text}`);

/** A machine whose tables append to the signed command line (systemd-stub(7)). */
const appending = (text: string) => ({ smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=${text}`] });

describe("the boot program stops the machine", () => {
  let example: SealedExample;
  before(async () => {
    example = await sealedExample();
  });
  const imageLink = () => `/composefs/images/${example.deploymentId}`;
  const state = (name: string) => `/state/deploy/${example.deploymentId}/${name}`;
  const expected = () => line(` *expected: sha512:${example.deploymentId}`);

  test("when the root image was swapped for another valid one, naming expected and found digest", async () => {
    await assertRefused(example, {
      damage: (disk) => disk.replace(objectPath(example.deploymentId), OTHER_IMAGE, "with-verity"),
      link: "image",
      signs: [
        line("Cannot use the root image: its fs-verity digest is a different one"),
        expected(),
        line(` *found: +sha512:${OTHER_ID}`),
        STOPPED,
      ],
    });
  });

  test("when the root image has lost its fs-verity", async () => {
    await assertRefused(example, {
      damage: (disk) => disk.clearVerity(objectPath(example.deploymentId)),
      link: "image",
      signs: [
        line("Cannot use the root image: fs-verity does not vouch for it"),
        expected(),
        line(" *found: +the file has no fs-verity digest"),
        STOPPED,
      ],
    });
  });

  test(
    "when root image and meta.json have lost their fs-verity, whatever the disk then says of itself",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(example, {
        async damage(disk) {
          await disk.clearVerity("/composefs/meta.json");
          await disk.clearVerity(objectPath(example.deploymentId));
        },
        link: "image",
        signs: [line("Cannot use the root image: fs-verity does not vouch for it"), expected(), STOPPED],
      });
    },
  );

  test("when a byte of the root image's superblock was flipped", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      damage: (disk) => disk.flipByte(objectPath(example.deploymentId), SUPERBLOCK_OFFSET),
      link: "image",
      signs: [line("Cannot mount the root image"), STOPPED],
    });
  });

  test("when the repository does not have the root image", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      damage: (disk) => disk.unlink(imageLink()),
      link: "image",
      signs: [line("Cannot open the root image: it is not in the repository"), STOPPED],
    });
  });

  test("when the image's name leads to an object of another digest", ONLY_IN_WHOLE_SUITE, async () => {
    const other = await objectPathOf(example, "usr/share/common-licenses/GPL-3");
    await assertRefused(example, {
      async damage(disk) {
        await disk.unlink(imageLink());
        await disk.symlink(imageLink(), other.replace("/composefs", ".."));
      },
      link: "image",
      signs: [line("Cannot use the root image: its fs-verity digest is a different one"), expected(), STOPPED],
    });
  });

  test("when the machine's tables append a second composefs= to the signed command line", async () => {
    await assertRefused(example, {
      damage: addOtherImage,
      link: undefined,
      signs: [
        line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
        STOPPED,
      ],
      machine: appending(`composefs=${OTHER_ID}`),
    });
  });

  test(
    "when the first of two signed images is missing: the second does not take its place",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(example, {
        async damage(disk) {
          await replaceWithTwoImages(example, disk);
          await disk.unlink(imageLink());
        },
        link: "image",
        signs: [line("Cannot open the root image: it is not in the repository"), STOPPED],
      });
    },
  );

  test(
    "when the machine's tables append a third composefs argument to two signed ones",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(example, {
        async damage(disk) {
          await replaceWithTwoImages(example, disk);
        },
        link: undefined,
        signs: [
          line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
          STOPPED,
        ],
        machine: appending(`composefs=${OTHER_ID}`),
      });
    },
  );

  test(
    "when the machine's tables append the other form of argument, with an image that is not permitted",
    ONLY_IN_WHOLE_SUITE,
    async () => {
      await assertRefused(example, {
        damage: addOtherImage,
        link: undefined,
        signs: [line(NOT_PERMITTED), expected(), line(` *found: +sha512:${OTHER_ID}`), STOPPED],
        machine: appending(`composefs.digest=v1-sha512-12:${OTHER_ID}`),
      });
    },
  );

  test("when a signed UKI permits another image than the one that it names", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      async damage(disk) {
        await addOtherImage(disk);
        const initramfs = await initramfsWith(example, disk, { permit: `composefs=${OTHER_ID}\n` });
        await replaceUki(example, disk, { initramfs });
      },
      link: "initramfs",
      signs: [line(NOT_PERMITTED), line(` *expected: sha512:${OTHER_ID}`), STOPPED],
    });
  });

  test("when a signed command line names an image twice", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      damage: (disk) => replaceUki(example, disk, { commandLine: `${example.commandLine} composefs=${OTHER_ID}` }),
      link: "command-line",
      signs: [
        line("Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected"),
        STOPPED,
      ],
    });
  });

  test("when a signed command line names no image", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      damage: (disk) => replaceUki(example, disk, { commandLine: "console=ttyS0 rw" }),
      link: "command-line",
      signs: [line("Cannot choose the root image: no composefs= on the kernel command line"), STOPPED],
    });
  });

  test("when a signed add-on names another image", ONLY_IN_WHOLE_SUITE, async () => {
    const stub = await imageFile(example, "usr/lib/systemd/boot/efi/addonx64.efi.stub");
    const content = Buffer.from(`composefs.digest=v1-sha512-12:${OTHER_ID}`);
    const addon = await signPe(addSections(stub, [{ name: ".cmdline", content }]), loadSigner(example.keysDirectory));
    await assertRefused(example, {
      async damage(disk) {
        await addOtherImage(disk);
        await disk.makeEspDirectory("loader/addons");
        await disk.writeEsp("loader/addons/other.addon.efi", addon);
      },
      link: "add-ons",
      signs: [line(NOT_PERMITTED), expected(), line(` *found: +sha512:${OTHER_ID}`), STOPPED],
    });
  });

  test("when objects are gone, or a folder or a link is in their place", async () => {
    const objects = await Promise.all(
      ["GPL-1", "GPL-2", "GPL-3"].map((name) => objectPathOf(example, `usr/share/common-licenses/${name}`)),
    );
    const [, folder = "", link = ""] = objects;
    const [first] = objects.toSorted();
    await assertRefused(example, {
      async damage(disk) {
        for (const path of objects) await disk.unlink(path);
        await disk.makeDirectory(folder);
        await disk.symlink(link, `../../images/${example.deploymentId}`);
      },
      link: "objects",
      signs: [
        line("Cannot use the root image: 3 of its \\d+ objects are missing"),
        line(` *where: +${first}`),
        STOPPED,
      ],
    });
  });

  test("when the state of /var is a link to /", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      async damage(disk) {
        await disk.unlink(state("var"));
        await disk.symlink(state("var"), "/");
      },
      link: "state",
      signs: [
        line("Cannot find the state of /var: a link leads out of the physical root"),
        line(` *where: +${state("var")} on the physical root`),
        line(" *found: +/\\s"),
        STOPPED,
      ],
    });
  });

  test("when the state of /etc is not there", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      damage: (disk) => disk.unlink(state("etc")),
      link: "state",
      signs: [line("Cannot find the state of /etc: "), line(` *where: +${state("etc")} on the physical root`), STOPPED],
    });
  });

  test("when the state of /etc is a file", ONLY_IN_WHOLE_SUITE, async () => {
    await assertRefused(example, {
      async damage(disk) {
        await disk.unlink(state("etc"));
        await disk.replace(state("etc"), Buffer.from("text\n"), "without-verity");
      },
      link: "state",
      signs: [line("Cannot find the state of /etc: it is not a directory"), STOPPED],
    });
  });

  test("when a copy of the disk is in the machine as well", async () => {
    const copy = await DiskCopy.make(example.diskPath);
    try {
      await assertRefused(example, {
        async damage() {},
        link: undefined,
        signs: [
          line("Cannot find the root device: 2 partitions are the one that the boot loader came from"),
          line(" *found: +vda2 .*; vdb2 "),
          STOPPED,
        ],
        moreDrives: [{ path: copy.path }],
      });
    } finally {
      await copy.remove();
    }
  });
});
