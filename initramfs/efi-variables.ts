/** What the boot loader says about itself (Boot Loader Interface; spec/boot-chain.md I.2 and I.4). */
import { type BootSystem, encodeText } from "./system.ts";
import { toolCommand } from "./tools.ts";

const DIRECTORY = "/sys/firmware/efi/efivars";
const LOADER_VENDOR = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/** EFI_GLOBAL_VARIABLE (UEFI 2.10, 3.3). */
const GLOBAL_VENDOR = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/** efivarfs puts the attributes before the value (Linux Documentation/filesystems/efivarfs.rst). */
const ATTRIBUTE_BYTES = 4;

/** Makes the variables readable, if the firmware has any. */
export function mountEfiVariables(system: BootSystem): void {
  if (!system.isDirectory(DIRECTORY) || system.list(DIRECTORY).length > 0) return;
  system.run(
    toolCommand(system, "mount", ["-n", "-t", "efivarfs", "-o", "nosuid,nodev,noexec", "efivarfs", DIRECTORY]),
  );
}

/** Attributes: non-volatile, at boot and at run time (UEFI 2.10, 8.2). */
const KEPT_ATTRIBUTES = [7, 0, 0, 0];

/** Makes a variable that outlives the boot; one that is there stays, as the kernel protects it. @param text ASCII */
export function createVariable(system: BootSystem, name: string, vendor: string, text: string): boolean {
  const bytes = new Uint8Array([...KEPT_ATTRIBUTES, ...encodeText(text)]);
  return system.createFile(`${DIRECTORY}/${name}-${vendor}`, bytes);
}

/** A text variable of the boot loader, UTF-16LE with a NUL at the end; undefined when it is not set. */
export function readLoaderVariable(system: BootSystem, name: string): string | undefined {
  const bytes = system.readBytes(`${DIRECTORY}/${name}-${LOADER_VENDOR}`);
  if (bytes === undefined || bytes.length < ATTRIBUTE_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let offset = ATTRIBUTE_BYTES; offset + 1 < bytes.length; offset += 2) {
    const unit = view.getUint16(offset, true);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}

/** Whether the firmware checks signatures: SecureBoot is 1 (UEFI 2.10, 3.3). */
export function isSecureBoot(system: BootSystem): boolean {
  return system.readBytes(`${DIRECTORY}/SecureBoot-${GLOBAL_VENDOR}`)?.[ATTRIBUTE_BYTES] === 1;
}
