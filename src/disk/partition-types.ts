/** Partition type GUIDs, in lower case (UAPI Discoverable Partitions Specification; spec/host.md 1.1). */
import { ARCHITECTURES } from "../bootimage/index.ts";

export const PARTITION_TYPE = {
  biosBoot: "21686148-6449-6e6f-744e-656564454649",
  efiSystem: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  rootX8664: ARCHITECTURES.amd64.rootPartitionType,
  rootArm64: ARCHITECTURES.arm64.rootPartitionType,
} as const;
