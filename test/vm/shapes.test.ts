/** Images of other shapes than the example's, booted under Secure Boot: docs/shapes.md. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DebianImage } from "../../examples/debian/image.ts";
import { loadCertificates, type OwnedCertificates } from "../../src/keys/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { startVirtualMachine, type VirtualMachine, type VirtualMachineOptions } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { BOOT_TIMEOUT_MS, efiVariableHex, guestText, systemState } from "./sealed-example.ts";
import { PROOF_FILES, type ShapeDisk, shapeDisk } from "./shapes/shape-disk.ts";
import { shapeImage } from "./shapes/shape-image.ts";
import { signedModule, withoutSignature } from "./shapes/signed-module.ts";
import { staticQuickJs } from "./shapes/static-quickjs.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** An emulated arm64 machine of one processor takes three times as long as a PC. */
const ARM64_TIMEOUT_MS = 2 * BOOT_TIMEOUT_MS;

describe("images of other shapes", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let secureBoot: OwnedCertificates;
  before(async () => {
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "shapes" });
    const keys = join(directory.path, "keys");
    assert.equal((await run("keys", "generate", keys)).exitCode, 0);
    secureBoot = loadCertificates(keys);
  });
  after(() => directory?.remove());

  async function booted(
    disk: ShapeDisk,
    options: Partial<VirtualMachineOptions>,
    look: (guest: VirtualMachine) => Promise<void>,
  ): Promise<void> {
    const guest = await startVirtualMachine({ drives: [{ path: disk.diskPath }], secureBoot, cpus: 1, ...options });
    try {
      await look(guest);
    } finally {
      await guest.stop();
    }
  }

  /** Boots it and waits for what it says of itself. */
  async function provesItself(disk: ShapeDisk, kernelRelease: string): Promise<void> {
    await booted(disk, { agent: false }, async (guest) => {
      await guest.waitForConsole(/proof: end/, BOOT_TIMEOUT_MS);
      const said = guest.consoleText;
      assert.ok(said.includes(`proof: root composefs:${disk.deploymentId}`), said);
      assert.match(said, /proof: options ro,\S*verity=require/);
      assert.ok(said.includes(`proof: kernel ${kernelRelease}`), said);
      assert.match(said, /proof: secure boot 01/);
      assert.match(said, /proof: \/usr is read-only/);
      assert.match(said, /proof: state/);
    });
  }

  async function releasesOf({ directory: layout }: DebianImage): Promise<readonly string[]> {
    const script = 'for blob in "$1"/blobs/sha256/*; do tar -tzf "$blob" 2>/dev/null || :; done';
    const { stdout } = await runTool("sh", ["-c", script, "sh", layout]);
    return [...stdout.toString().matchAll(/^\.\/usr\/lib\/modules\/([^/]+)\/vmlinuz$/gm)].map(([, name = ""]) => name);
  }

  describe("Debian 13 with two kernels", () => {
    let image: DebianImage;
    let full: string;
    before(async () => {
      image = await shapeImage("kernels");
      const releases = await releasesOf(image);
      assert.equal(releases.length, 2);
      full = releases.find((release) => !release.includes("cloud")) ?? "";
    });

    async function moduleOf(path: string): Promise<Buffer> {
      const script = 'for blob in "$1"/blobs/sha256/*; do tar -xzOf "$blob" "./$2" 2>/dev/null && exit; done; exit 1';
      const { stdout } = await runTool("sh", ["-c", script, "sh", image.directory, path]);
      return (await runTool("xz", ["--decompress", "--stdout"], { input: stdout })).stdout;
    }

    test("boots the full one; a module is refused without a signature, and taken with one of db's key", async () => {
      const folder = `usr/lib/modules/${full}`;
      const unsigned = withoutSignature(await moduleOf(`${folder}/kernel/drivers/net/dummy.ko.xz`));
      const disk = await shapeDisk(directory.path, image, {
        name: "full",
        files: {
          [`${folder}/updates/dkms/unsigned.ko`]: unsigned,
          [`${folder}/updates/dkms/signed.ko`]: await signedModule(unsigned, join(directory.path, "keys")),
        },
        sealWords: ["--kernel", full],
      });
      await booted(disk, {}, async (guest) => {
        await guest.waitForReady(BOOT_TIMEOUT_MS);
        assert.equal(await systemState(guest), "running");
        assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${disk.deploymentId}`);
        assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
        assert.equal(await guestText(guest, "uname -r; ls /usr/lib/modules"), `${full}\n${full}`);
        assert.equal(await guestText(guest, efiVariableHex("SecureBoot")), "01");
        assert.match(await guestText(guest, "cat /sys/kernel/security/lockdown"), /\[integrity\]/);
        const load = (name: string) => guest.run(`insmod /${folder}/updates/dkms/${name}.ko`);
        const refused = await load("unsigned");
        assert.equal(refused.exitCode, 1, refused.stderr.toString());
        assert.match(await guestText(guest, "dmesg | tail -n 5"), /unsigned module/);
        const taken = await load("signed");
        assert.equal(taken.exitCode, 0, taken.stderr.toString());
        assert.equal(await guestText(guest, "ls -d /sys/module/dummy"), "/sys/module/dummy");
      });
    });

    test("boots the full one by dracut's initramfs, which our program is put behind", async () => {
      const disk = await shapeDisk(directory.path, image, {
        name: "dracut",
        files: PROOF_FILES,
        sealWords: ["--kernel", full, "--initramfs", "extend"],
      });
      await provesItself(disk, full);
    });
  });

  test("the userland of Debian 12 boots through a loop device, with a QuickJS that is given", async () => {
    const image = await shapeImage("bookworm");
    const [release = ""] = await releasesOf(image);
    const disk = await shapeDisk(directory.path, image, {
      name: "bookworm",
      files: PROOF_FILES,
      sealWords: ["--boot-program", await staticQuickJs()],
    });
    await provesItself(disk, release);
  });

  describe("Debian 13 for arm64", () => {
    let image: DebianImage;
    before(async () => {
      image = await shapeImage("arm64");
    });
    const sealWords = ["--karg", "console=ttyAMA0"];

    test("boots under AAVMF's Secure Boot", async () => {
      const disk = await shapeDisk(directory.path, image, { name: "arm64", sealWords });
      await booted(disk, { architecture: "arm64" }, async (guest) => {
        await guest.waitForReady(ARM64_TIMEOUT_MS, { endsWhenRefused: true });
        assert.equal(await guestText(guest, "uname -m"), "aarch64");
        assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${disk.deploymentId}`);
        assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
        assert.equal(await guestText(guest, efiVariableHex("SecureBoot")), "01");
        assert.equal(await guestText(guest, "touch /etc/written /var/written && echo written"), "written");
      });
    });

    test("is refused by AAVMF when it is signed with other keys", async () => {
      const other = join(directory.path, "other");
      assert.equal((await run("keys", "generate", other)).exitCode, 0);
      const disk = await shapeDisk(directory.path, image, { name: "arm64-other", sealWords });
      await booted(
        disk,
        { architecture: "arm64", agent: false, secureBoot: loadCertificates(other) },
        async (guest) => {
          await guest.waitForConsole(/Access [Dd]enied/, ARM64_TIMEOUT_MS);
          assert.doesNotMatch(guest.consoleText, /Linux version|the root is composefs/);
        },
      );
    });
  });
});
