/**
 * The phases that the boot program measures into PCR 11, as systemd's own initramfs does (systemd-pcrphase.service(8)): signed
 * policies want them.
 */
import { SealrootError } from "../errors/error.ts";

export type InitramfsPhase = "enter-initrd" | "leave-initrd";

/** What systemd-stub sets once it has measured the UKI: the number of the register (systemd-stub(7)). */
export const MEASURED_VARIABLE = "StubPcrKernelImage";
export const PHASE_REGISTER = 11;
/** The TPM behind the kernel's resource manager (Linux Documentation/security/tpm/tpm_resource_manager). */
export const TPM_DEVICE = "/dev/tpmrm0";

/** TPM 2.0 Library, part 2: TPM_ST_SESSIONS, TPM_CC_PCR_Event, TPM_RS_PW. */
const SESSIONS = 0x8002;
const PCR_EVENT = 0x0000013c;
const PASSWORD = 0x40000009;
/** tag, size, code; a register; the length of the authorisation, and one by the empty password; the length of the data. */
const HEAD_BYTES = 10 + 4 + 4 + 9 + 2;
/** tag, size and code. */
const RESPONSE_MIN_BYTES = 10;

/**
 * TPM2_PCR_Event (part 3, 22.3): the TPM itself hashes the phase's name and extends the register in every bank.
 * The same comes of systemd-pcrextend(8), which hashes by itself.
 */
export function phaseCommand(phase: InitramfsPhase): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_BYTES + phase.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, SESSIONS);
  view.setUint32(2, bytes.length);
  view.setUint32(6, PCR_EVENT);
  view.setUint32(10, PHASE_REGISTER);
  view.setUint32(14, 9);
  view.setUint32(18, PASSWORD);
  // Nonce and password are empty, no attribute is set: seven zeros.
  view.setUint16(27, phase.length);
  for (let index = 0; index < phase.length; index++) view.setUint8(HEAD_BYTES + index, phase.charCodeAt(index));
  return bytes;
}

/**
 * @param response of the TPM; undefined when it could not be asked
 * @throws SealrootError `failed` unless the TPM says that it is done
 */
export function checkPhaseResponse(phase: InitramfsPhase, response: Uint8Array | undefined): void {
  if (response === undefined) throw failed(phase, "the TPM does not answer");
  if (response.length < RESPONSE_MIN_BYTES) throw failed(phase, `the TPM answers ${response.length} bytes`);
  const code = new DataView(response.buffer, response.byteOffset, response.byteLength).getUint32(6);
  if (code !== 0) throw failed(phase, `the TPM answers with error 0x${code.toString(16)}`);
}

function failed(phase: InitramfsPhase, state: string): SealrootError {
  return new SealrootError("failed", `Cannot measure the phase ${phase} of the boot: ${state}`);
}
