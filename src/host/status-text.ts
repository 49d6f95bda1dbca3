/** The status for people, as bootc words it (spec/host-lifecycle.md 3.3), and beneath it what is wrong. */
import { parseCountedName } from "../bls/index.ts";
import { LUKS_SLOT_TEXT } from "../bootplan/index.ts";
import { formatSize } from "../bytes/index.ts";
import { PROTECTION_TEXT, protectionOf } from "../deployment/index.ts";
import { failedBootLines } from "./boots/failed-boot-text.ts";
import { type BootedChain, chainText } from "./chain.ts";
import type { EncryptedRoot } from "./encrypted-root.ts";
import type { Host, HostDeployment, HostSpace } from "./host.ts";
import { pendingChange, pendingText } from "./pending.ts";
import { statusReference } from "./status-document.ts";

interface Slot {
  readonly heading: string;
  readonly mark: string;
  readonly deployment: HostDeployment;
  readonly downloadOnly: boolean | undefined;
}

export interface StatusTextOptions {
  /** Only what is booted. */
  readonly bootedOnly: boolean;
  /** More lines for each deployment. */
  readonly verbose: boolean;
  /** How what runs was checked, where that was looked at. */
  readonly chain?: BootedChain | undefined;
}

/** Lines without line ends. */
export function statusText(host: Host, { bootedOnly, verbose, chain }: StatusTextOptions): string[] {
  const slots = slotsOf(host).filter(({ deployment }) => !bootedOnly || deployment === host.booted);
  const blocks = slots.map((slot) => slotLines(host, slot, { verbose, chain }));
  if (blocks.length === 0) blocks.push(["System is not deployed via bootc."]);
  const pending = verbose && !bootedOnly ? pendingChange(host) : undefined;
  if (pending !== undefined) blocks.push([`Next boot: ${pendingText(pending)}`]);
  else if (host.rollbackQueued && !bootedOnly) blocks.push(["The next boot takes another deployment than this one."]);
  if (!bootedOnly) {
    // Of one that is history, because another system runs by now, only who asks for more is told.
    const told = host.failedBoots.filter(({ fellBackTo }) => verbose || fellBackTo === host.booted?.deploymentId);
    blocks.push(...told.map(failedBootLines));
  }
  if (host.encryption !== undefined) blocks.push(...encryptionBlocks(host.encryption, verbose));
  if (verbose && host.space.length > 0) blocks.push(host.space.map(spaceText));
  if (host.problems.length > 0) {
    blocks.push([
      "Problems:",
      ...host.problems.map(({ subject, error }) => `  ${shortened(subject)}: ${error.message}`),
    ]);
  }
  return blocks.flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}

/** Of a disk that is closed, only who asks for more is told. */
function encryptionBlocks({ device, volume }: EncryptedRoot, verbose: boolean): string[][] {
  const isOpen = volume.slots.some(({ use }) => use === "open");
  if (!verbose && !isOpen) return [];
  const slots = volume.slots.map(({ use }) => LUKS_SLOT_TEXT[use]).join(", ");
  const warning = "It is open for whoever has the disk. A boot with Secure Boot on and a TPM closes it.";
  return [[`Root encrypted: LUKS2 on ${device}, opened by: ${slots}`, ...(isOpen ? [warning] : [])]];
}

function spaceText({ place, freeBytes, totalBytes }: HostSpace): string {
  return `Room on ${place === "ESP" ? "the ESP" : "the root file system"}: ${formatSize(freeBytes)} of ${formatSize(totalBytes)} free`;
}

/** In the order of the menu, so to say: what comes, what is, what was. */
function slotsOf({ staged, booted, rollback, others, rollbackQueued }: Host): Slot[] {
  const slot = (heading: string, deployment: HostDeployment | undefined, mark = " ", downloadOnly?: boolean): Slot[] =>
    deployment === undefined ? [] : [{ heading, mark, deployment, downloadOnly }];
  return [
    ...slot("Staged image", staged, " ", staged?.downloadOnly),
    ...slot("Booted image", booted, "●"),
    ...slot(rollbackQueued ? "Rollback image (queued)" : "Rollback image", rollback),
    ...others.flatMap((other) => slot("Other image", other)),
  ];
}

type SlotOptions = Pick<StatusTextOptions, "verbose" | "chain">;

function slotLines(
  host: Host,
  { heading, mark, deployment, downloadOnly }: Slot,
  { verbose, chain }: SlotOptions,
): string[] {
  const { deploymentId, image, origin, missingVerityAllowed, softRebootCapable } = deployment;
  const protection = protectionOf({ bootType: origin.bootType, missingVerityAllowed });
  const { image: name, transport, signature } = statusReference(origin.imageReference);
  const first = `${mark} ${heading}`;
  const rows: [string, string][] = [[first, transport === "registry" ? name : `${transport}:${name}`]];
  if (image !== undefined) rows.push(["Digest", `${image.manifestDigest} (${image.architecture})`]);
  rows.push(["Verity", deploymentId]);
  // Nothing is said of what is as it should be: bootc's words stay bootc's.
  if (protection !== undefined && protection !== "sealed") rows.push(["Protection", PROTECTION_TEXT[protection]]);
  const created = image?.created;
  if (image?.version !== undefined) {
    rows.push(["Version", created === undefined ? image.version : `${image.version} (${created})`]);
  } else if (created !== undefined) {
    rows.push(["Timestamp", created]);
  }
  if (origin.pinned) rows.push(["Pinned", "yes"]);
  if (deployment === host.booted && host.usrOverlay !== undefined) {
    rows.push(["/usr overlay", `transient, ${host.usrOverlay.isWritable ? "read/write" : "read-only"}`]);
  }
  if (verbose) {
    if (signature !== undefined) rows.push(["Signature", signature === "containerPolicy" ? signature : "ostreeRemote"]);
    rows.push(["Soft-reboot", softRebootCapable ? "yes" : "no"]);
    rows.push(["FsVerity", missingVerityAllowed ? "Not Enforced" : "Enforced"]);
    if (deployment === host.booted && chain !== undefined) rows.push(["Chain", chainText(chain)]);
    rows.push(["Boot entry", deployment.entry?.fileName ?? "(none)"]);
    const triesLeft = parseCountedName(deployment.entry?.fileName ?? "").count?.left;
    if (triesLeft !== undefined) rows.push(["Tries left", String(triesLeft)]);
    if (downloadOnly !== undefined) rows.push(["Download-only", downloadOnly ? "yes" : "no"]);
  }
  return rows.map(([label, value]) => `${label.padStart(first.length)}: ${value}`);
}

/** Ids are long; their beginning tells them apart. */
function shortened(subject: string): string {
  return /^[0-9a-f]{64,}$/.test(subject) ? `${subject.slice(0, 12)}…` : subject;
}
