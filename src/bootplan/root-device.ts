/** Which block device is the physical root (spec/boot-chain.md I.4). */
import type { CommandLine } from "../bls/command-line.ts";
import { SealrootError } from "../errors/index.ts";

/** How the root is named. */
export type RootSource =
  | { readonly type: "tag"; readonly tag: keyof typeof TAG_PROPERTIES; readonly value: string }
  | { readonly type: "device"; readonly path: string }
  /** The root partition of the disk that the boot loader came from. */
  | { readonly type: "loader-disk" };

/** blkid(8)'s name for a tag of root=. */
const TAG_PROPERTIES = {
  UUID: "UUID",
  LABEL: "LABEL",
  PARTUUID: "PART_ENTRY_UUID",
  PARTLABEL: "PART_ENTRY_NAME",
} as const;

/** A probed block device. */
export interface BlockDevice {
  /** Kernel name: `vda2`. */
  readonly name: string;
  /** Kernel name of the whole disk; its own name for a disk. */
  readonly disk: string;
  /** What `blkid -p -o export` says. */
  readonly properties: ReadonlyMap<string, string>;
  /** True for a part of another device, such as a RAID or multipath: only the whole is mounted. */
  readonly isPart: boolean;
}

/** Root partition types of the Discoverable Partitions Specification, by the machine name the kernel uses. */
const ROOT_PARTITION_TYPES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"],
  ["aarch64", "b921b045-1df0-41c3-af44-4c6f280d3fae"],
]);

/** GPT attribute bit 63: do not mount automatically (Discoverable Partitions Specification, "Partition Flags"). */
const NO_AUTO_FLAG = 1n << 63n;

/**
 * The root a command line names with `root=`; without it the loader's disk.
 *
 * @throws SealrootError `conflict` for more than one root=, `unsupported` for a form that is not known
 */
export function parseRootArgument(line: CommandLine): RootSource {
  const [argument, ...others] = line.all("root");
  if (argument === undefined) return { type: "loader-disk" };
  if (others.length > 0) {
    throw new SealrootError(
      "conflict",
      "Cannot choose the root device: more than one root= on the kernel command line",
      {
        actual: [argument, ...others].map(({ text }) => text).join(" "),
      },
    );
  }
  const value = argument.value ?? "";
  if (value === "gpt-auto") return { type: "loader-disk" };
  if (/^\/dev\/[^/]+$/.test(value)) return { type: "device", path: value };
  const match = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)$/.exec(value);
  const tag = match?.[1];
  if (tag === "UUID" || tag === "LABEL" || tag === "PARTUUID" || tag === "PARTLABEL") {
    return { type: "tag", tag, value: match?.[2] ?? "" };
  }
  throw new SealrootError("unsupported", `Cannot use the kernel argument "${argument.text}": unknown form`, {
    expected: "root=UUID=, LABEL=, PARTUUID=, PARTLABEL= or /dev/NAME",
  });
}

/** For messages: what is being looked for. */
export function describeRootSource(source: RootSource): string {
  if (source.type === "tag") return `a file system with ${source.tag}=${source.value}`;
  return source.type === "device" ? source.path : "a root partition on the boot loader's disk";
}

/** Reads the lines of `blkid -p -o export`, whose values have special characters after a backslash. */
export function parseBlkidExport(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) properties.set(line.slice(0, equals), line.slice(equals + 1).replace(/\\(.)/g, "$1"));
  }
  return properties;
}

/**
 * The devices that match `source`. One is the answer; if there is none it may still appear; two are an error.
 *
 * @param loaderPartitionUuid PARTUUID of the partition the boot loader came from, if it said so
 * @param machine the kernel's machine name, such as `x86_64`
 * @throws SealrootError `conflict` when two partitions are the boot loader's, as on a disk and its copy
 */
export function rootCandidates(
  source: RootSource,
  devices: readonly BlockDevice[],
  loaderPartitionUuid: string | undefined,
  machine: string,
): BlockDevice[] {
  if (source.type === "device") return devices.filter(({ name }) => source.path === `/dev/${name}`);
  const whole = devices.filter(({ isPart }) => !isPart);
  if (source.type === "tag") {
    const property = TAG_PROPERTIES[source.tag];
    const wanted = source.tag === "PARTUUID" ? source.value.toLowerCase() : source.value;
    return whole.filter(({ properties }) => properties.get(property) === wanted);
  }
  const loaderUuid = loaderPartitionUuid?.toLowerCase();
  if (loaderUuid === undefined) return [];
  const loaders = whole.filter(({ properties }) => properties.get("PART_ENTRY_UUID") === loaderUuid);
  const [loader, ...others] = loaders;
  if (loader === undefined) return [];
  if (others.length > 0) {
    throw new SealrootError(
      "conflict",
      `Cannot find the root device: ${loaders.length} partitions are the one that the boot loader came from`,
      { expected: `one partition with PARTUUID=${loaderUuid}`, actual: describeDevices(loaders), hint: ONE_DISK_HINT },
    );
  }
  return whole.filter(
    ({ disk, properties }) =>
      disk === loader.disk &&
      properties.get("PART_ENTRY_TYPE") === ROOT_PARTITION_TYPES.get(machine) &&
      (BigInt(properties.get("PART_ENTRY_FLAGS") ?? "0") & NO_AUTO_FLAG) === 0n,
  );
}

/** The way out when a disk and its copy are in one machine. */
export const ONE_DISK_HINT = "remove one of the disks, or give its partitions identities of their own";

/** True for the devices of a file system that spans several, such as btrfs and bcachefs. */
export function isOneFileSystem(devices: readonly BlockDevice[]): boolean {
  const values = (key: string) => new Set(devices.map(({ properties }) => properties.get(key)));
  const members = values("UUID_SUB");
  return (
    values("UUID").size === 1 && values("TYPE").size === 1 && members.size === devices.length && !members.has(undefined)
  );
}

/** One line about each device, for the error that says what was seen. */
export function describeDevices(devices: readonly BlockDevice[]): string {
  if (devices.length === 0) return "no block device";
  return devices
    .map(({ name, properties }) => {
      const shown = ["TYPE", "UUID", "PART_ENTRY_UUID", "PART_ENTRY_TYPE", "PART_ENTRY_NAME"]
        .filter((key) => properties.has(key))
        .map((key) => `${key}=${properties.get(key)}`);
      return [name, ...shown].join(" ");
    })
    .join("; ");
}
