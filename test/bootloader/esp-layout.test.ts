import assert from "node:assert/strict";
import { test } from "node:test";
import { espLayout, type SystemdBootOptions, systemdBoot, type UkiDeployment } from "../../src/bootloader/index.ts";
import { loaderImage, peImage } from "./pe-fixture.ts";

const ID = "0f".repeat(64);
const OS_RELEASE = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\n';

function layoutOf(changes: Partial<SystemdBootOptions & UkiDeployment> = {}): Map<string, string> {
  const program = loaderImage("257.13-1~deb13u1");
  const loader = systemdBoot({ program, architecture: "x64", enrolmentFiles: [], ...changes });
  const deployment = { deploymentId: ID, uki: Buffer.from("uki"), osRelease: OS_RELEASE, addons: [] };
  const layout = espLayout(loader, { ...deployment, ...changes });
  return new Map(layout.files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString("latin1")]));
}

test("a new ESP has loader, UKI, entry and configuration where bootc looks for them", () => {
  const files = layoutOf();
  assert.deepEqual([...files.keys()].sort(), [
    "EFI/BOOT/BOOTX64.EFI",
    `EFI/Linux/bootc/bootc_composefs-${ID}.efi`,
    "EFI/systemd/systemd-bootx64.efi",
    "loader/entries.srel",
    "loader/entries/bootc_debian-13-1.conf",
    "loader/loader.conf",
  ]);
  assert.equal(files.get("EFI/BOOT/BOOTX64.EFI"), files.get("EFI/systemd/systemd-bootx64.efi"));
  assert.equal(files.get(`EFI/Linux/bootc/bootc_composefs-${ID}.efi`), "uki");
  assert.equal(files.get("loader/entries.srel"), "type1\n");
  assert.equal(files.get("loader/loader.conf"), "timeout 5");
});

test("the entry uses the key efi for systemd-boot 257, which drops uki entries silently", () => {
  assert.equal(
    layoutOf().get("loader/entries/bootc_debian-13-1.conf"),
    `title Debian GNU/Linux 13 (trixie) 13
version 13
efi /EFI/Linux/bootc/bootc_composefs-${ID}.efi
sort-key bootc-debian-0
`,
  );
});

test("the entry uses the key uki from systemd-boot 258 on", () => {
  const entry = layoutOf({ program: loaderImage("258") }).get("loader/entries/bootc_debian-13-1.conf");
  assert.match(entry ?? "", /^uki \/EFI\/Linux\/bootc\/bootc_composefs-0f/m);
});

test("enrolment files and add-ons find their folders, and enrolment is switched on", () => {
  const files = layoutOf({
    enrolmentFiles: [{ folder: "auto", name: "PK.auth", bytes: Buffer.from("pk") }],
    addons: [
      { name: "debug", scope: "scoped", bytes: Buffer.from("addon") },
      { name: "site", scope: "global", bytes: Buffer.from("for all") },
    ],
  });
  assert.equal(files.get("loader/keys/auto/PK.auth"), "pk");
  assert.equal(files.get("loader/loader.conf"), "timeout 5\nsecure-boot-enroll if-safe\n");
  assert.equal(files.get(`EFI/Linux/bootc/bootc_composefs-${ID}.efi.extra.d/debug.addon.efi`), "addon");
  assert.equal(files.get("loader/addons/bootc_composefs-site.addon.efi"), "for all");
});

test("the keys are enrolled when it is said, or left out", () => {
  const enrolmentFiles = [{ folder: "auto", name: "PK.auth", bytes: Buffer.from("pk") }];
  for (const enrolment of ["off", "manual", "if-safe", "force"] as const) {
    const files = layoutOf({ enrolmentFiles, enrolment });
    assert.equal(files.get("loader/loader.conf"), `timeout 5\nsecure-boot-enroll ${enrolment}\n`);
    assert.equal(files.get("loader/keys/auto/PK.auth"), enrolment === "off" ? undefined : "pk");
    assert.equal(layoutOf({ enrolment }).get("loader/loader.conf"), "timeout 5");
  }
});

test("arm64 loaders get arm64 names", () => {
  const files = layoutOf({ architecture: "aa64", program: loaderImage("257", "aa64") });
  assert.ok(files.has("EFI/BOOT/BOOTAA64.EFI"));
  assert.ok(files.has("EFI/systemd/systemd-bootaa64.efi"));
});

test("a loader for another architecture is refused", () => {
  assert.throws(() => layoutOf({ program: loaderImage("257", "aa64") }), {
    code: "conflict",
    message: "Cannot install the boot loader: it is for aa64, the UKI for x64",
  });
});

test("a program that is not systemd-boot is refused", () => {
  assert.throws(() => layoutOf({ program: peImage({ ".text": "grub" }) }), {
    code: "unsupported",
    message: "Cannot install the boot loader: it is not systemd-boot",
  });
});
