/** What an update is told that a test does not care about: no machine around the folder, and nothing forced. */
export const PLAIN_UPDATE = {
  downloadOnly: false,
  etc: "abort",
  allowMissingVerity: false,
  allowDowngrade: false,
  retryFailed: false,
  retention: { keep: 0 },
  preparedImage: undefined,
  loaderInfo: undefined,
  firmware: undefined,
  startFinalizer: async () => {},
} as const;
