/** Recovery keys as systemd-cryptenroll(1) makes them: 256 bits in modhex, readable on any keyboard (systemd, recovery-key.c). */

/** A digit to a character, in the order of their values: letters that all Latin keyboards have in the same place. */
const MODHEX = "cbdefghijklnrtuv";
const BYTES = 32;
const GROUP_CHARACTERS = 8;

/**
 * The key as text, which is the passphrase of its slot, dashes included: 64 letters in groups of eight.
 * @param random 32 bytes
 */
export function formatRecoveryKey(random: Uint8Array): string {
  if (random.length !== BYTES) throw new RangeError(`a recovery key is made of ${BYTES} bytes, not ${random.length}`);
  let letters = "";
  for (const byte of random) letters += `${MODHEX[byte >>> 4]}${MODHEX[byte & 0xf]}`;
  return grouped(letters);
}

/**
 * What was typed as the passphrase that is meant: of a recovery key, groups, blanks and case do not matter.
 * @returns the text as it is when it is something else
 */
export function normalizeSecret(typed: string): string {
  const letters = typed.toLowerCase().replace(/[-\s]/g, "");
  return letters.length === BYTES * 2 && [...letters].every((letter) => MODHEX.includes(letter))
    ? grouped(letters)
    : typed;
}

function grouped(letters: string): string {
  const groups: string[] = [];
  for (let at = 0; at < letters.length; at += GROUP_CHARACTERS) groups.push(letters.slice(at, at + GROUP_CHARACTERS));
  return groups.join("-");
}
