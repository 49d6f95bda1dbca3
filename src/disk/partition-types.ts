/** Partition type GUIDs, in lower case (UAPI Discoverable Partitions Specification; spec/host.md 1.1). */

export const PARTITION_TYPE = {
  biosBoot: "21686148-6449-6e6f-744e-656564454649",
  efiSystem: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  rootX8664: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
  rootArm64: "b921b045-1df0-41c3-af44-4c6f280d3fae",
} as const;

/** The architectures a disk can be made for, as OCI images name them. */
export type DiskArchitecture = "amd64" | "arm64";

/** The type of the root partition, by which the boot program and systemd find it without `root=`. */
export const ROOT_PARTITION_TYPE: Readonly<Record<DiskArchitecture, string>> = {
  amd64: PARTITION_TYPE.rootX8664,
  arm64: PARTITION_TYPE.rootArm64,
};
