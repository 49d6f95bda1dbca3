/** Times as inodes hold them. */

/** The two fields of a time. */
export interface Ext4Time {
  /** The low 32 bits of the seconds, signed. */
  readonly seconds: number;
  /** Two more bits of the seconds, and the nanoseconds above them. */
  readonly extra: number;
}

const MINIMUM_SECONDS = -(2n ** 31n);
const MAXIMUM_SECONDS = 2n ** 34n - 2n ** 31n - 1n;

/**
 * A time as ext4 stores it (Linux Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps"). Times out of range are
 * clamped as the kernel does.
 *
 * @param wanted seconds since 1970
 */
export function ext4Time(wanted: bigint, nanoseconds: number): Ext4Time {
  const seconds = wanted < MINIMUM_SECONDS ? MINIMUM_SECONDS : wanted > MAXIMUM_SECONDS ? MAXIMUM_SECONDS : wanted;
  const low = BigInt.asIntN(32, seconds);
  const epochBits = Number(((seconds - low) >> 32n) & 3n);
  return { seconds: Number(low), extra: nanoseconds * 4 + epochBits };
}
