/** Which booted tests of a running host are part of every run: the rest take minutes each in emulation. */

/** `./just test-composefs` sets it. */
export const WHOLE_SUITE = process.env.SEALROOT_ALL_BOOTED === "1";

/** Options of a suite that only the whole run has. */
export const ONLY_IN_WHOLE_SUITE = {
  skip: WHOLE_SUITE ? false : "takes minutes: ./just test-composefs, or SEALROOT_ALL_BOOTED=1",
} as const;
