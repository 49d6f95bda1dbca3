/** The record of deployments that did not boot. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootFailure, parseFailure } from "../../bootplan/index.ts";
import { isDeploymentId } from "../../deployment/index.ts";
import { asSealrootError, corrupt, hasErrno } from "../../errors/index.ts";
import { syncDirectory, writeFileAtomically } from "../../platform/index.ts";
import { OWN_STATE } from "./boot-slots.ts";

/** Where a boot ended: before anything of ours ran, in the boot program, or in the system of the image. */
export type FailedStep = "boot-loader" | "initramfs" | "system";

/** A deployment that used up its tries, and the boot that gave it up. */
export interface FailedBoot {
  readonly deploymentId: string;
  /** `sha256:<hex>` of the image; undefined when its origin file could not be read. */
  readonly manifestDigest: string | undefined;
  /** What the host followed. */
  readonly imageReference: string | undefined;
  /** How often it was tried. */
  readonly tries: number;
  /** The deployment that came up instead. */
  readonly fellBackTo: string;
  /** When that was noticed, as in RFC 3339. */
  readonly time: string;
  readonly step: FailedStep;
  readonly failure: BootFailure;
  /** The kernel's ids of the boots that told of themselves, in their order: `journalctl --boot=ID`. */
  readonly bootIds: readonly string[];
}

const FILE = "failed-boots.json";
/** Newest first; more of the past is of no use. */
const KEPT = 16;

export function failedBootsPath(physicalRoot: string): string {
  return join(physicalRoot, OWN_STATE, FILE);
}

/**
 * What is recorded, newest first.
 * @throws SealrootError `corrupt` for a file that we did not write
 */
export function readFailedBoots(physicalRoot: string): readonly FailedBoot[] {
  const path = failedBootsPath(physicalRoot);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, "Cannot read which boots failed", { path });
  }
  const list = parseList(text)?.map(parseFailedBoot);
  const whole = list?.filter((one) => one !== undefined);
  if (list !== undefined && whole?.length === list.length) return whole;
  throw corrupt("Cannot read which boots failed: the file is not a record of them", { path, hint: "remove the file" });
}

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const list = typeof value === "object" && value !== null && "failedBoots" in value ? value.failedBoots : undefined;
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}

const STEPS: readonly FailedStep[] = ["boot-loader", "initramfs", "system"];

function parseFailedBoot(value: unknown): FailedBoot | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { deploymentId, manifestDigest, imageReference, tries, fellBackTo, time, step, failure, bootIds } =
    value as Record<string, unknown>;
  const knownStep = STEPS.find((known) => known === step);
  const knownFailure = parseFailure(failure);
  const isText = (one: unknown): one is string => typeof one === "string";
  if (!isText(deploymentId) || !isDeploymentId(deploymentId) || !isText(fellBackTo) || !isText(time)) return undefined;
  if (typeof tries !== "number" || knownStep === undefined || knownFailure === undefined) return undefined;
  return {
    deploymentId,
    manifestDigest: isText(manifestDigest) ? manifestDigest : undefined,
    imageReference: isText(imageReference) ? imageReference : undefined,
    tries,
    fellBackTo,
    time,
    step: knownStep,
    failure: knownFailure,
    bootIds: Array.isArray(bootIds) ? bootIds.filter(isText) : [],
  };
}

/** Durable on return. */
export function writeFailedBoots(physicalRoot: string, failedBoots: readonly FailedBoot[]): void {
  const path = failedBootsPath(physicalRoot);
  try {
    mkdirSync(join(physicalRoot, OWN_STATE), { recursive: true });
    writeFileAtomically(path, `${JSON.stringify({ failedBoots: failedBoots.slice(0, KEPT) })}\n`);
    syncDirectory(join(physicalRoot, OWN_STATE));
  } catch (error) {
    throw asSealrootError(error, "Cannot record which boots failed", { path });
  }
}
