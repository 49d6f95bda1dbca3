/** The option by which one db key may sign images with and without required fs-verity. */
export const SHARED_KEY_OPTION = {
  flags: "--allow-shared-key",
  summary: "sign images with and without required fs-verity with one db key (see docs/bootloaders.md)",
} as const;
