/** UUIDs (RFC 9562), which partition tables and UEFI call GUIDs: their text. */

/** True for 8-4-4-4-12 hex digits of either case. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
