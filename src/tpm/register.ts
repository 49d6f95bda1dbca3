/** A Platform Configuration Register as anybody can compute it (TPM 2.0 Library, part 1, 17). */
import { createHash } from "node:crypto";

/** Banks of a TPM, by the names that tools give them. */
export type PcrBank = "sha1" | "sha256" | "sha384" | "sha512";

/** In the order in which systemd-measure(1) has them. */
export const PCR_BANKS: readonly PcrBank[] = ["sha1", "sha256", "sha384", "sha512"];

/** What a register of one bank holds. It begins with zeros, as those of the boot chain (0 to 15) do. */
export class PcrRegister {
  readonly bank: PcrBank;
  #value: Uint8Array;

  /** @param startupLocality with which PCR 0 begins, as its last byte (TCG PC Client Platform Firmware Profile 1.06, 10.4.5.3) */
  constructor(bank: PcrBank, startupLocality = 0) {
    this.bank = bank;
    this.#value = new Uint8Array(digestOf(bank, new Uint8Array(0)).length);
    this.#value[this.#value.length - 1] = startupLocality;
  }

  /** Another register that holds the same now. */
  copy(): PcrRegister {
    const copy = new PcrRegister(this.bank);
    copy.#value = this.#value;
    return copy;
  }

  get value(): Uint8Array {
    return this.#value;
  }

  /** What measuring these bytes does: their digest is extended. */
  measure(bytes: Uint8Array): this {
    return this.extend(digestOf(this.bank, bytes));
  }

  /** @param digest of the bank's algorithm */
  extend(digest: Uint8Array): this {
    this.#value = digestOf(this.bank, Buffer.concat([this.#value, digest]));
    return this;
  }
}

function digestOf(bank: PcrBank, bytes: Uint8Array): Uint8Array {
  return createHash(bank).update(bytes).digest();
}
