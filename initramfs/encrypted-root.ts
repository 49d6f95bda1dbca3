/**
 * Opening a root partition of LUKS2: by the TPM, by the empty passphrase of a disk that no TPM is enrolled on yet, or by what
 * somebody types. systemd's own programs of the image do it; which header they get is decided here.
 */
import { LUKS_HEADER_BYTES, type LuksVolume, readLuksVolume } from "../src/bootplan/luks-volume.ts";
import { normalizeSecret } from "../src/bootplan/recovery-key.ts";
import type { BlockDevice } from "../src/bootplan/root-device.ts";
import { SealrootError } from "../src/errors/index.ts";
import type { BootPhases } from "./boot-phases.ts";
import { isSecureBoot } from "./efi-variables.ts";
import { loadKernelModules } from "./kernel-modules.ts";
import { type BootSystem, decodeText, encodeText } from "./system.ts";
import { ENROLL_TOOL, hasTool, toolCommand, UNLOCK_TOOL } from "./tools.ts";

/** The name that systemd's own generator gives to it (systemd-gpt-auto-generator(8)). */
const MAPPED_NAME = "root";
const MAPPED_DEVICE = `/dev/mapper/${MAPPED_NAME}`;
const TPM_DEVICE = "/dev/tpmrm0";
const FOLDER = "/run/sealroot";
const HEADER_COPY = `${FOLDER}/root-header`;
const SECRET_FILE = `${FOLDER}/root-secret`;
/** Where systemd-stub puts what the UKI brings (systemd-stub(7)). */
const STUB_FILES = { key: "/.extra/tpm2-pcr-public-key.pem", signatures: "/.extra/tpm2-pcr-signature.json" } as const;
/** A boot with another system to fall back to does not wait longer for somebody who has the key. */
const COUNTED_WAIT_MS = 90_000;

/** What the opening of a root may count on. */
export interface UnlockSituation {
  readonly phases: BootPhases | undefined;
  /** Another system is booted when this one gives up. */
  readonly canFallBack: boolean;
}

type OpenedBy = "tpm2" | "empty" | "typed";

/** Whether blkid(8) calls it a volume of LUKS. */
export function isEncrypted({ properties }: BlockDevice): boolean {
  return properties.get("TYPE") === "crypto_LUKS";
}

/**
 * Opens the volume. The header is copied first, judged, and used from that copy: it is unsigned, and the disk may give other bytes
 * when it is read again.
 *
 * @returns the device with the file system
 * @throws SealrootError `unsupported` when this initramfs has no programs for it; `untrusted` for a header that must not be used;
 *   `no-access` when nobody opens it
 */
export function openEncryptedRoot(system: BootSystem, partition: BlockDevice, situation: UnlockSituation): string {
  if (!hasTool(system, UNLOCK_TOOL) || !hasTool(system, ENROLL_TOOL)) {
    throw new SealrootError(
      "unsupported",
      "Cannot open the root partition: it is encrypted, and this initramfs cannot",
      {
        path: `/dev/${partition.name}`,
        hint: "seal an image that has systemd-cryptsetup and the libraries of a TPM (tpm2-tss)",
      },
    );
  }
  loadKernelModules(system, "order-crypt");
  const device = `/dev/${partition.name}`;
  const header = system.readStart(device, LUKS_HEADER_BYTES);
  if (header === undefined) throw new SealrootError("failed", `Cannot read the header of ${device}`, { path: device });
  const volume = readLuksVolume(header);
  system.makeDirectory(FOLDER, 0o755);
  system.remove(HEADER_COPY);
  if (!system.createFile(HEADER_COPY, header.slice(0, volume.dataOffsetBytes))) {
    throw new SealrootError("no-space", `Cannot copy the header of ${device}: there is no room for it in /run`);
  }
  try {
    new Unlocking(system, device, volume, situation).run();
  } finally {
    for (const path of [HEADER_COPY, SECRET_FILE]) system.remove(path);
  }
  return MAPPED_DEVICE;
}

class Unlocking {
  readonly #system: BootSystem;
  readonly #device: string;
  readonly #volume: LuksVolume;
  readonly #situation: UnlockSituation;

  constructor(system: BootSystem, device: string, volume: LuksVolume, situation: UnlockSituation) {
    this.#system = system;
    this.#device = device;
    this.#volume = volume;
    this.#situation = situation;
  }

  run(): void {
    const openedBy = this.#open();
    const isOpen = this.#has("open");
    if (openedBy === "typed") this.#offerToBind();
    // Also after a machine was switched off between the two steps of the last one.
    else if (isOpen) this.#close(openedBy);
  }

  #has(use: LuksVolume["slots"][number]["use"]): boolean {
    return this.#volume.slots.some((slot) => slot.use === use);
  }

  #open(): OpenedBy {
    let reason = "the volume is bound to no TPM";
    if (this.#has("tpm2")) {
      const { status, said } = this.#attach("-", ["tpm2-device=auto", `tpm2-signature=${STUB_FILES.signatures}`]);
      if (status === 0) return "tpm2";
      reason = said;
    }
    if (this.#has("open")) {
      this.#writeSecret("");
      const { status, said } = this.#attach(SECRET_FILE, []);
      if (status === 0) return "empty";
      reason = said;
    }
    this.#system.report(
      "failure",
      `the root volume ${this.#device} is encrypted and does not open by itself: ${reason}`,
    );
    this.#ask();
    return "typed";
  }

  #ask(): void {
    const timeoutMs = this.#situation.canFallBack ? COUNTED_WAIT_MS : undefined;
    for (;;) {
      const typed = this.#system.askSecret("sealroot: recovery key (it is not shown): ", timeoutMs);
      if (typed === undefined) {
        throw new SealrootError("no-access", "Cannot open the root volume: nobody gave its recovery key", {
          path: this.#device,
          hint: "boot an entry that the TPM opens it for, or have the recovery key at hand",
        });
      }
      if (typed === "") continue;
      this.#writeSecret(normalizeSecret(typed));
      if (this.#attach(SECRET_FILE, []).status === 0) return;
      this.#system.report("failure", "no key slot of the root volume opens by that; try again");
    }
  }

  /** In memory, readable by root alone. */
  #writeSecret(text: string): void {
    this.#system.remove(SECRET_FILE);
    this.#system.createFile(SECRET_FILE, encodeText(text));
  }

  /** systemd-cryptsetup(8); it is never to ask by itself: nobody would see that it does. */
  #attach(keyFile: string, options: readonly string[]): { readonly status: number; readonly said: string } {
    const all = ["luks", `header=${HEADER_COPY}`, "headless=1", "tries=1", "token-timeout=1s", ...options].join(",");
    const words = ["attach", MAPPED_NAME, this.#device, keyFile, all];
    const { status, output } = this.#system.run(toolCommand(this.#system, UNLOCK_TOOL, words));
    return { status, said: lastLine(decodeText(output)) };
  }

  /** Binds the volume to this machine, and takes the empty passphrase away. A disk that cannot be closed yet still boots. */
  #close(openedBy: OpenedBy): void {
    const why = this.#whyNotBound();
    if (why !== undefined) {
      this.#system.report("failure", `the root volume stays open for everybody who has the disk: ${why}`);
      return;
    }
    // An enrolment that opened the volume just now is good; what is left to do is the second step.
    const failure = openedBy === "tpm2" ? this.#wipe("empty") : this.#bind("empty,tpm2");
    if (failure === undefined) {
      this.#system.report(
        "information",
        "the root volume is bound to this machine's TPM; only its recovery key opens it elsewhere",
      );
    } else this.#system.report("failure", `the root volume stays open for everybody who has the disk: ${failure}`);
  }

  /** Asked, since whoever had the key may have moved the disk on purpose. */
  #offerToBind(): void {
    if (this.#whyNotBound() !== undefined) return;
    const answer = this.#system.askSecret(
      "sealroot: bind the volume to this machine as it is now (type yes, else press return): ",
      COUNTED_WAIT_MS,
    );
    if (answer?.trim().toLowerCase() !== "yes") return;
    const failure = this.#bind(this.#has("open") ? "empty,tpm2" : "tpm2");
    this.#system.report("failure", failure === undefined ? "the root volume is bound" : `it is not bound: ${failure}`);
  }

  #whyNotBound(): string | undefined {
    const { phases } = this.#situation;
    if (!this.#system.list("/dev").includes(TPM_DEVICE.slice("/dev/".length))) return "there is no TPM";
    if (phases?.isEntered !== true) return "this boot is not measured";
    // The value of PCR 7 would be that of a machine that starts anything.
    if (!isSecureBoot(this.#system)) return "Secure Boot is off";
    const missing = Object.values(STUB_FILES).find((path) => this.#system.readBytes(path) === undefined);
    return missing && "the UKI brings no signed policies";
  }

  /** The secret file has what opens it. With signatures at hand the new slot is tried before it is written (systemd-cryptenroll(1)). */
  #bind(wiped: string): string | undefined {
    return this.#enroll([
      `--unlock-key-file=${SECRET_FILE}`,
      "--tpm2-device=auto",
      `--tpm2-public-key=${STUB_FILES.key}`,
      `--tpm2-signature=${STUB_FILES.signatures}`,
      "--tpm2-public-key-pcrs=11",
      "--tpm2-pcrs=7",
      `--wipe-slot=${wiped}`,
    ]);
  }

  #wipe(slots: string): string | undefined {
    return this.#enroll([`--wipe-slot=${slots}`]);
  }

  #enroll(words: readonly string[]): string | undefined {
    const { status, output } = this.#system.run(toolCommand(this.#system, ENROLL_TOOL, [...words, this.#device]));
    return status === 0 ? undefined : lastLine(decodeText(output));
  }
}

/** What systemd-cryptsetup says before and after its reasons. */
const NO_REASON = /^Set cipher |; giving up\.$/;

/** The last thing that a program says, on one line. */
function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "" && !NO_REASON.test(line)) ?? "it says nothing";
}
