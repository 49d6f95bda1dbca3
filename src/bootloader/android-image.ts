/** Images that boot the Android way, from slots of the disk (bootc-experimental-composefs-aboot(7)). */

/** True for the name of such an image in an OCI image's `/boot`: `aboot-VERSION.img`. */
export function isAndroidBootImage(name: string): boolean {
  return /^aboot-.+\.img$/s.test(name);
}
