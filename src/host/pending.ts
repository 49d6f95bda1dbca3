/** What is different after the next boot: which deployment it takes, why, and what that changes before the root is mounted. */
import { argumentChange } from "../bls/index.ts";
import type { Host, HostDeployment } from "./host.ts";

export interface PendingChange {
  readonly deploymentId: string;
  /** An update that is staged, or another entry put first. */
  readonly reason: "update" | "rollback";
  /** The kernel is another; undefined when that is not known. */
  readonly kernelChanges: boolean | undefined;
  /** Without the image. */
  readonly argumentsAdded: readonly string[];
  readonly argumentsRemoved: readonly string[];
}

const IMAGE_KEYS = ["composefs", "composefs.digest"];

/** @returns undefined when the next boot takes what runs; an update that only was downloaded waits to be told */
export function pendingChange({
  staged,
  booted,
  rollback,
  others,
  entries,
  rollbackQueued,
}: Host): PendingChange | undefined {
  if (booted === undefined) return undefined;
  if (staged !== undefined && !staged.downloadOnly) return changeTo(booted, staged, "update");
  if (!rollbackQueued) return undefined;
  const next = [rollback, ...others].find((one) => one?.deploymentId === entries[0]?.deploymentId);
  return next === undefined ? undefined : changeTo(booted, next, "rollback");
}

function changeTo(from: HostDeployment, to: HostDeployment, reason: PendingChange["reason"]): PendingChange {
  const { added, removed } = argumentChange(ownArguments(from), ownArguments(to));
  return {
    deploymentId: to.deploymentId,
    reason,
    kernelChanges: to.sharesKernel === undefined ? undefined : !to.sharesKernel,
    argumentsAdded: added,
    argumentsRemoved: removed,
  };
}

function ownArguments({ commandLine }: HostDeployment): string[] {
  const all = commandLine?.arguments ?? [];
  return all.filter(({ key }) => !IMAGE_KEYS.includes(key)).map(({ text }) => text);
}

/** One line: `update 0123456789ab…: same kernel, arguments +quiet -debug`. */
export function pendingText({
  deploymentId,
  reason,
  kernelChanges,
  argumentsAdded,
  argumentsRemoved,
}: PendingChange): string {
  const kernel = kernelChanges === undefined ? "kernel unknown" : kernelChanges ? "another kernel" : "the same kernel";
  const words = [...argumentsAdded.map((text) => `+${text}`), ...argumentsRemoved.map((text) => `-${text}`)];
  const line = words.length === 0 ? "the same arguments" : `arguments ${words.join(" ")}`;
  return `${reason} to ${deploymentId.slice(0, 12)}…: ${kernel}, ${line}`;
}
