/** The shape of a boot loader on an EFI system partition. */
import type { EspFile } from "../disk/index.ts";

export interface BootLoader {
  /** Its program, in each place where firmware and tools look for it. */
  readonly programs: readonly EspFile[];
  /** What it reads besides entries. */
  readonly settings: readonly EspFile[];
  /** The Secure Boot keys that it enrols. */
  readonly keys: readonly EspFile[];
  /** Directories that exist even when empty. */
  readonly directories: readonly string[];
  /** The key by which its entries name a UKI. */
  readonly ukiKey: "efi" | "uki";
}
