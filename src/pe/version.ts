/** The version systemd writes into its EFI programs. */
import { findSection, type PeImage, sectionContent } from "./image.ts";

export interface SystemdComponent {
  readonly component: "systemd-boot" | "systemd-stub" | "systemd-addon";
  /** The full version, such as `257.13-1~deb13u1`. */
  readonly version: string;
  /** The leading number, which features depend on. */
  readonly majorVersion: number;
}

/** `#### LoaderInfo: systemd-boot 257.13-1 ####`, as bootctl looks for it (systemd, src/boot: `.sdmagic`). */
const MAGIC = /^#### LoaderInfo: (systemd-boot|systemd-stub|systemd-addon) ((\d+)\S*) ####\0*$/;

/** Which systemd EFI program an image is, and its version; undefined for any other program. */
export function systemdComponentOf(image: PeImage): SystemdComponent | undefined {
  const section = findSection(image, ".sdmagic");
  if (section === undefined) return undefined;
  const match = MAGIC.exec(Buffer.from(sectionContent(image, section)).toString("latin1"));
  const [, component, version, major] = match ?? [];
  if (version === undefined || major === undefined) return undefined;
  return { component: component as SystemdComponent["component"], version, majorVersion: Number(major) };
}
