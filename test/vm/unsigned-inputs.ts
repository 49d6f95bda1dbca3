/** Everything that systemd-stub takes from the EFI system partition (systemd-stub(7), "Companion Files"), unsigned. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeErofs } from "../../src/erofs/index.ts";
import { addSections } from "../../src/pe/index.ts";
import { type DirectoryNode, newDirectory, newMetadata } from "../../src/tree/index.ts";
import type { DiskCopy } from "./disk-copy.ts";
import { imageFile, type SealedExample } from "./sealed-example.ts";

const CREDENTIALS = join(import.meta.dirname, "../vectors/esp-credentials");

/** What the planted files would leave if they had an effect; see the vectors' README for the credentials. */
export const ATTACK_SIGNS = {
  /** In the kernel's log. */
  log: "ATTACKER-CODE-RUNS",
  /** On the kernel command line. */
  argument: "attacker.addon=1",
  /** In /usr or /etc of an initrd into which the extension images were merged. */
  extension: "attacker-extension",
} as const;

/** The paths in the initramfs under which the stub hands the planted files on. */
export const HANDED_ON = [
  "/.extra/confext/attacker.confext.raw",
  "/.extra/credentials/systemd.extra-unit.evil.service.cred",
  "/.extra/credentials/systemd.unit-dropin.sysinit.target~evil.cred",
  "/.extra/global_credentials/systemd.extra-unit.evil.service.cred",
  "/.extra/global_credentials/systemd.unit-dropin.sysinit.target~evil.cred",
  "/.extra/sysext/attacker.sysext.raw",
];

/** Plants one of each kind beside the UKI, and of the kinds that have a place for all UKIs one there. */
export async function plantUnsignedInputs(example: SealedExample, disk: DiskCopy): Promise<void> {
  const beside = `${example.ukiPath}.extra.d`;
  for (const folder of [beside, "loader/credentials", "loader/addons"]) await disk.makeEspDirectory(folder);
  for (const name of await readdir(CREDENTIALS)) {
    if (!name.endsWith(".cred")) continue;
    const bytes = await readFile(join(CREDENTIALS, name));
    for (const folder of [beside, "loader/credentials"]) await disk.writeEsp(`${folder}/${name}`, bytes);
  }
  const stub = await imageFile(example, "usr/lib/systemd/boot/efi/addonx64.efi.stub");
  const addon = addSections(stub, [{ name: ".cmdline", content: Buffer.from(ATTACK_SIGNS.argument) }]);
  for (const folder of [beside, "loader/addons"]) await disk.writeEsp(`${folder}/attacker.addon.efi`, addon);
  await disk.writeEsp(`${beside}/attacker.sysext.raw`, extensionImage("usr/lib", "extension-release.d"));
  await disk.writeEsp(`${beside}/attacker.confext.raw`, extensionImage("etc", "extension-release.d"));
}

/** An image that fits every system by what it says of itself (extension-release, os-release(5)), and has one more file. */
function extensionImage(hierarchy: string, release: string): Uint8Array {
  const root = directory();
  const below = hierarchy.split("/").reduce((parent, name) => enter(parent, name), root);
  addFile(enter(below, release), "extension-release.attacker", "ID=_any\n");
  addFile(below, ATTACK_SIGNS.extension, "x\n");
  return writeErofs(root, { form: "v1", algorithm: "sha512" });
}

function directory(): DirectoryNode {
  return newDirectory(newMetadata({ mode: 0o755 }));
}

function enter(parent: DirectoryNode, name: string): DirectoryNode {
  const child = directory();
  parent.entries.set(byteStringOfText(name), child);
  return child;
}

function addFile(parent: DirectoryNode, name: string, text: string): void {
  const metadata = newMetadata({ mode: 0o644 });
  const content = { type: "inline", bytes: Buffer.from(text) } as const;
  parent.entries.set(byteStringOfText(name), { kind: "file", metadata, content });
}
