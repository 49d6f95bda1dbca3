/** The status as bootc gives it to programs: `org.containers.bootc/v1` (spec/host-lifecycle.md 3.2). */
import { parseCountedName } from "../bls/index.ts";
import type { LuksSlotUse } from "../bootplan/index.ts";
import type { FailedBoot, FailedStep } from "./boots/failed-boots.ts";
import type { BootedChain, ChainLink } from "./chain.ts";
import type { EncryptedRoot } from "./encrypted-root.ts";
import type { Host, HostDeployment, HostSpace } from "./host.ts";
import { pendingChange } from "./pending.ts";

/** An image reference in bootc's two parts. */
export interface StatusImageReference {
  readonly image: string;
  readonly transport: string;
  /** What vouches for it, where the origin demands that. */
  readonly signature?: StatusSignature;
}

export type StatusSignature = "containerPolicy" | { readonly ostreeRemote: string };

export interface StatusImage {
  readonly image: StatusImageReference;
  readonly version: string | null;
  readonly timestamp: string | null;
  readonly imageDigest: string;
  readonly architecture: string;
}

export interface StatusBootEntry {
  readonly image: StatusImage | null;
  readonly cachedUpdate: null;
  readonly incompatible: false;
  readonly pinned: boolean;
  readonly softRebootCapable: boolean;
  readonly downloadOnly: boolean;
  readonly store: null;
  readonly ostree: null;
  readonly composefs: {
    readonly verity: string;
    readonly bootType: "Bls" | "Uki" | "Aboot";
    readonly bootloader: string;
    readonly bootDigest: string | null;
    readonly missingVerityAllowed: boolean;
  };
}

/** A deployment that used up its tries. */
export interface StatusFailedBoot {
  readonly verity: string;
  readonly image: StatusImageReference | null;
  readonly imageDigest: string | null;
  readonly fellBackTo: string;
  readonly tries: number;
  readonly timestamp: string;
  readonly step: FailedStep;
  readonly message: string;
  readonly expected: string | null;
  readonly actual: string | null;
  readonly bootIds: readonly string[];
}

export interface StatusDocument {
  readonly apiVersion: "org.containers.bootc/v1";
  readonly kind: "BootcHost";
  readonly metadata: { readonly name: "host" };
  readonly spec: { readonly image: StatusImageReference | null; readonly bootOrder: "default" | "rollback" };
  readonly status: {
    readonly staged: StatusBootEntry | null;
    readonly booted: StatusBootEntry | null;
    readonly rollback: StatusBootEntry | null;
    /** Left out when there are none. */
    readonly otherDeployments?: readonly StatusBootEntry[];
    readonly rollbackQueued: boolean;
    readonly type: null;
    readonly usrOverlay: { readonly accessMode: "readOnly" | "readWrite"; readonly persistence: "transient" } | null;
    readonly readOnly: boolean;
  };
  /** Not bootc's; left out unless it is asked for. */
  readonly sealroot?: {
    readonly failedBoots: readonly StatusFailedBoot[];
    /** Of those that the boot loader counts. */
    readonly triesLeft: readonly { readonly verity: string; readonly tries: number }[];
    readonly space: readonly HostSpace[];
    /** Of a root that is encrypted: the partition, and what its key slots are for. */
    readonly encryption: { readonly device: string; readonly slots: readonly LuksSlotUse[] } | null;
    /** How what runs was checked on its way up; null when that was not looked at, or nothing of this host runs. */
    readonly chain: StatusChain | null;
    /** What the next boot changes; null when it takes what runs. */
    readonly pending: StatusPending | null;
  };
}

export interface StatusChain {
  readonly verified: boolean;
  /** The first link that does not hold. */
  readonly brokenLink: ChainLink | null;
  readonly message: string | null;
}

export interface StatusPending {
  readonly verity: string;
  readonly reason: "update" | "rollback";
  readonly kernelChanges: boolean | null;
  readonly argumentsAdded: readonly string[];
  readonly argumentsRemoved: readonly string[];
}

const BOOT_TYPE = { bls: "Bls", uki: "Uki", aboot: "Aboot" } as const;

export interface StatusDocumentOptions {
  /** Leaves out what is staged and what could be rolled back to. */
  readonly bootedOnly?: boolean;
  /** Adds what bootc does not know; its own reader ignores keys that it does not know. */
  readonly withOwn?: boolean;
  readonly chain?: BootedChain | undefined;
}

/** The document of a host, its fields in bootc's order of declaration. */
export function statusDocument(
  host: Host,
  { bootedOnly = false, withOwn = false, chain }: StatusDocumentOptions = {},
): StatusDocument {
  const { staged, booted, rollback, others, rollbackQueued, usrOverlay } = host;
  const entry = (deployment: HostDeployment | undefined, downloadOnly = false) =>
    deployment === undefined ? null : bootEntry(host, deployment, downloadOnly);
  const followed = staged ?? booted;
  return {
    apiVersion: "org.containers.bootc/v1",
    kind: "BootcHost",
    metadata: { name: "host" },
    spec: {
      image: followed === undefined ? null : statusReference(followed.origin.imageReference),
      bootOrder: rollbackQueued ? "rollback" : "default",
    },
    status: {
      staged: bootedOnly ? null : entry(staged, staged?.downloadOnly),
      booted: entry(booted),
      rollback: bootedOnly ? null : entry(rollback),
      ...(others.length > 0 && { otherDeployments: others.map((other) => bootEntry(host, other, false)) }),
      rollbackQueued,
      type: null,
      usrOverlay:
        usrOverlay === undefined
          ? null
          : { accessMode: usrOverlay.isWritable ? "readWrite" : "readOnly", persistence: "transient" },
      readOnly: host.isReadOnly,
    },
    ...(withOwn && {
      sealroot: {
        failedBoots: host.failedBoots.map(ownFailedBoot),
        triesLeft: triesLeft(host),
        space: host.space,
        encryption: host.encryption === undefined ? null : ownEncryption(host.encryption),
        chain: chain === undefined ? null : ownChain(chain),
        pending: ownPending(host),
      },
    }),
  };
}

function ownEncryption({ device, volume }: EncryptedRoot) {
  return { device, slots: volume.slots.map(({ use }) => use) };
}

function ownChain({ broken }: BootedChain): StatusChain {
  return { verified: broken === undefined, brokenLink: broken?.link ?? null, message: broken?.message ?? null };
}

function ownPending(host: Host): StatusPending | null {
  const change = pendingChange(host);
  if (change === undefined) return null;
  const { deploymentId, kernelChanges = null, ...rest } = change;
  return { verity: deploymentId, ...rest, kernelChanges };
}

function triesLeft({ entries }: Host): { verity: string; tries: number }[] {
  return entries.flatMap(({ deploymentId, fileName }) => {
    const tries = parseCountedName(fileName).count?.left;
    return deploymentId === undefined || tries === undefined ? [] : [{ verity: deploymentId, tries }];
  });
}

function ownFailedBoot(failed: FailedBoot): StatusFailedBoot {
  const { deploymentId, manifestDigest, imageReference, failure } = failed;
  return {
    verity: deploymentId,
    image: imageReference === undefined ? null : statusReference(imageReference),
    imageDigest: manifestDigest ?? null,
    fellBackTo: failed.fellBackTo,
    tries: failed.tries,
    timestamp: failed.time,
    step: failed.step,
    message: failure.message,
    expected: failure.expected ?? null,
    actual: failure.actual ?? null,
    bootIds: failed.bootIds,
  };
}

/** One line of JSON with sorted keys, as bootc writes it. */
export function statusJson(document: StatusDocument): string {
  return JSON.stringify(sorted(document));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

function bootEntry(host: Host, deployment: HostDeployment, downloadOnly: boolean): StatusBootEntry {
  const { deploymentId, image, missingVerityAllowed, origin, softRebootCapable } = deployment;
  return {
    image:
      image === undefined
        ? null
        : {
            image: statusReference(origin.imageReference),
            version: image.version ?? null,
            timestamp: image.created ?? null,
            imageDigest: image.manifestDigest,
            architecture: image.architecture,
          },
    cachedUpdate: null,
    incompatible: false,
    pinned: origin.pinned,
    softRebootCapable,
    downloadOnly,
    store: null,
    ostree: null,
    composefs: {
      verity: deploymentId,
      bootType: BOOT_TYPE[origin.bootType],
      bootloader: host.bootLoader,
      bootDigest: origin.bootDigest ?? null,
      missingVerityAllowed,
    },
  };
}

const SIGNED = "ostree-image-signed:";
const REMOTE = "ostree-remote-image:";

/** A skopeo-style reference, with one of ostree's prefixes or without, in bootc's parts (spec/host.md 1.3). */
export function statusReference(reference: string): StatusImageReference {
  if (reference.startsWith(SIGNED)) {
    return { ...statusReference(reference.slice(SIGNED.length)), signature: "containerPolicy" };
  }
  if (reference.startsWith(REMOTE)) {
    const rest = reference.slice(REMOTE.length);
    const colon = rest.indexOf(":");
    return { ...statusReference(rest.slice(colon + 1)), signature: { ostreeRemote: rest.slice(0, colon) } };
  }
  const colon = reference.indexOf(":");
  const transport = reference.slice(0, Math.max(colon, 0));
  const image = reference.slice(colon + 1);
  return transport === "docker"
    ? { image: image.replace(/^\/\//, ""), transport: "registry" }
    : { image, transport: transport === "" ? "registry" : transport };
}
