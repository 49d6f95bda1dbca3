/** The texts by which bootc offers deployments, by its own rules (spec/host.md 1.3 to 1.6): nothing of src/ is used. */

/** What bootc reads of an image's os-release. */
export interface OsRelease {
  readonly id: string;
  readonly prettyName: string;
  readonly version: string;
}

/** An entry of Boot Loader Specification Type 1, as bootc keeps it. */
export interface Type1Entry {
  readonly title: string;
  readonly version: string;
  readonly boots:
    | { readonly key: "efi" | "uki"; readonly path: string }
    | { readonly linux: string; readonly initrd: string; readonly options: string };
  readonly sortKey: string;
}

export function entryText({ title, version, boots, sortKey }: Type1Entry): string {
  const start =
    "path" in boots
      ? [`${boots.key} ${boots.path}`]
      : [`linux ${boots.linux}`, `initrd ${boots.initrd}`, `options ${boots.options}`];
  return [`title ${title}`, `version ${version}`, ...start, `sort-key ${sortKey}`].map((line) => `${line}\n`).join("");
}

/** @param place 1 for the entry that boots, 0 for the other one */
export function entryFile(osId: string, version: string, place: 0 | 1): string {
  return `bootc_${osId.replaceAll("-", "_")}-${version}-${place}.conf`;
}

/** @param place 0 for the entry that boots, 1 for the other one */
export function sortKey(osId: string, place: 0 | 1): string {
  return `bootc-${osId}-${place}`;
}

export const GRUB_PROLOGUE = `
if [ -f \${config_directory}/efiuuid.cfg ]; then
        source \${config_directory}/efiuuid.cfg
fi
`;

/** A deployment in GRUB's `user.cfg`. */
export function menuBlock(label: string, deploymentId: string, ukiPath: string): string {
  return `menuentry "${label}: (${deploymentId})" {
insmod fat
insmod chain
search --no-floppy --set=root --fs-uuid "\${EFI_PART_UUID}"
chainloader ${ukiPath}
}
`;
}

export interface OriginParts {
  readonly image: string;
  readonly bootType: "bls" | "uki";
  readonly bootDigest: string | undefined;
  readonly manifestDigest: string | undefined;
}

/** As the crate `tini` writes it: a blank line between sections. */
export function originText({ image, bootType, bootDigest, manifestDigest }: OriginParts): string {
  const sections = [
    `[origin]\ncontainer-image-reference = ostree-unverified-image:${image}\n`,
    `[boot]\nboot_type = ${bootType}\n${bootDigest === undefined ? "" : `digest = ${bootDigest}\n`}`,
    ...(manifestDigest === undefined ? [] : [`[image]\nmanifest_digest = ${manifestDigest}\n`]),
  ];
  return sections.join("\n");
}
