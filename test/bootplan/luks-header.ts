/** Headers of LUKS2 as far as anything reads them (LUKS2 On-Disk Format Specification 1.1, 2.1), with texts of a test's choice. */

export const METADATA = {
  keyslots: { "0": { type: "luks2", key_size: 64, kdf: { type: "pbkdf2", iterations: 1000 } } },
  tokens: { "0": { type: "systemd-recovery", keyslots: ["0"] } },
  segments: {
    "0": {
      ...{ type: "crypt", offset: "16777216", size: "dynamic", iv_tweak: "0" },
      ...{ encryption: "aes-xts-plain64", sector_size: 4096 },
    },
  },
  digests: {},
  config: { json_size: "12288", keyslots_size: "16744448" },
};

interface Place {
  readonly version?: number;
  readonly sequence?: bigint;
  readonly isSecond?: boolean;
}

const HEADER_BYTES = 16384;
const UUID = "11111111-2222-4333-8444-555555555555";

/** 16 MiB with one header. */
export function luksHeader(metadata: object | string): Uint8Array {
  return placeHeader(new Uint8Array(16 << 20), 0, metadata, {});
}

/** Writes a header into `bytes`, which it returns. */
export function placeHeader(
  bytes: Uint8Array,
  offset: number,
  metadata: object | string,
  { version = 2, sequence = 3n, isSecond = false }: Place,
): Uint8Array {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(offset, offset + HEADER_BYTES);
  header.write(isSecond ? "SKUL\xba\xbe" : "LUKS\xba\xbe", 0, "latin1");
  header.writeUInt16BE(version, 6);
  header.writeBigUInt64BE(BigInt(HEADER_BYTES), 8);
  header.writeBigUInt64BE(sequence, 16);
  header.write(UUID, 168, "latin1");
  header.write(typeof metadata === "string" ? metadata : JSON.stringify(metadata), 4096, "latin1");
  return bytes;
}
